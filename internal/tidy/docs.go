package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

// documented are the rooms whose exported names are all explained.
var documented = []string{"schemas", "features", "consumer", "sink", "api", "simulate"}

// selfEvident are methods of well-known interfaces, which say nothing new.
var selfEvident = []string{
	"String", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Close", "Read", "Write", "ServeHTTP",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "Scan", "Value", "LogValue", "GoString", "Format",
}

// Undocumented are the exported names without a comment, in the rooms that others build on. A group of constants or
// variables may have one comment for all; constants of one declared type are explained by the type's; a method without
// a statement does what it says.
func Undocumented(files []*File) (broken []string) {
	for _, f := range files {
		if f.Test || !slices.ContainsFunc(documented, func(room string) bool { return within(f.Dir, room) }) {
			continue
		}
		for _, d := range f.Syntax.Decls {
			for _, name := range undocumentedIn(d) {
				if line := f.line(name); !f.excused(line) {
					broken = append(broken, fmt.Sprintf("%s:%d: %s is exported and not explained", f.Path, line, name.Name))
				}
			}
		}
	}
	return broken
}

func undocumentedIn(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		doesNothing := d.Recv != nil && d.Body != nil && len(d.Body.List) == 0
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !doesNothing {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc == nil {
			return undocumentedSpecs(d)
		}
	}
	return nil
}

// exportedReceiver tells whether a function can be seen: it has no receiver, or one of an exported type, and is no
// well-known method.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported() && !slices.Contains(selfEvident, d.Name.Name)
		default:
			return false
		}
	}
}

func undocumentedSpecs(d *ast.GenDecl) (names []*ast.Ident) {
	typed := false // iota's followers repeat the type of the first
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
				names = append(names, s.Name)
			}
		case *ast.ValueSpec:
			typed = s.Type != nil || typed && len(s.Values) == 0
			if s.Doc != nil || s.Comment != nil || typed && d.Tok == token.CONST {
				continue
			}
			for _, n := range s.Names {
				if n.IsExported() {
					names = append(names, n)
				}
			}
		}
	}
	return names
}
