package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
)

// variable names the guard that is off, by its number, to the tests and to every process that they start.
const variable = "GUARD_OFF"

// switched returns the source of a Go file in which the environment switches guards off. It also returns the
// source of a file that reads the variable for the package, and the numbers of the guards with a switch.
//
// A function with a guard begins with a copy of itself without the guard, which runs instead when the
// variable is the guard's number. So one build serves all guards. A guard outside of functions has no switch,
// nor one in a function that calls recover, because recover works only in the deferred function itself.
//
// The lines of a copy belong to the file mutant-N.go, N being the guard's number, so that an error of the
// compiler names the guard. All other lines keep their numbers.
func switched(file, source string, guards map[int]guard) (out, reader string, done []int, err error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, file, source, parser.SkipObjectResolution)
	if err != nil {
		return "", "", nil, err
	}
	offset := func(p token.Pos) int { return files.Position(p).Offset }
	line := func(p token.Pos) int { return files.Position(p).Line }
	out = source
	for i := len(tree.Decls) - 1; i >= 0; i-- { // from the end, so that offsets stay right
		f, ok := tree.Decls[i].(*ast.FuncDecl)
		if !ok || f.Body == nil || recovers(f.Body) {
			continue
		}
		var copies, results string
		if f.Type.Results != nil {
			results = source[offset(f.Type.Results.Pos()):offset(f.Type.Results.End())]
		}
		begin, end := offset(f.Body.Lbrace)+1, offset(f.Body.Rbrace)
		for number, g := range guards {
			if g.line < line(f.Body.Lbrace) || g.line >= line(f.Body.Rbrace) {
				continue
			}
			without, err := mutate(source, g)
			if err != nil {
				continue
			}
			body := without[begin : len(without)-len(source)+end]
			call := fmt.Sprintf("return func() %s {%s}()", results, body)
			if results == "" {
				call = fmt.Sprintf("func() {%s}(); return", body)
			}
			copies += fmt.Sprintf("\n//line mutant-%[1]d.go:1\nif guardOff == \"%[1]d\" {%[2]s}", number, call)
			done = append(done, number)
		}
		if copies != "" {
			back := fmt.Sprintf("\n//line %s:%d\n", path.Base(file), line(f.Body.Lbrace))
			out = out[:begin] + copies + back + out[begin:]
		}
	}
	reader = fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar guardOff = os.Getenv(%q)\n", tree.Name, variable)
	return out, reader, done, nil
}

// recovers reports whether a body calls recover itself, and not in another function within.
func recovers(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "recover" {
				found = true
			}
		}
		_, within := n.(*ast.FuncLit)
		return !within
	})
	return found
}
