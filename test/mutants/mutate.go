package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// mutate returns the source of a file without one guard. How it is removed stands in the mark:
//
//	(nothing)       the condition of an if, for or case becomes false; another statement is not executed;
//	                an element of a literal, or a line of another language, is left out
//	always          the condition becomes true
//	OLD -> NEW      in the statement below, OLD becomes NEW, which may be empty; OLD must be there once
//	instead CODE    the statement below is replaced
//	next N -> TEXT  the next N lines are replaced (other languages than Go)
//
// A statement of Go is found in the syntax tree: it is the outermost node that begins on the line below the
// mark. In a longer expression, OLD may be anything on that line.
func mutate(source string, g guard) (string, error) {
	lines := strings.SplitAfter(source, "\n")
	below := g.line // index of the first line below the mark
	for below < len(lines) && marks.MatchString(strings.TrimRight(lines[below], "\n")) {
		below++
	}
	if g.line > len(lines) || below == len(lines) {
		return "", errors.New("there is nothing below the mark")
	}
	start := len(strings.Join(lines[:below], ""))
	if !strings.HasSuffix(g.file, ".go") || strings.HasPrefix(strings.TrimSpace(lines[g.line-1]), "--") {
		return mutateLines(source, start, lines[below:], g.how)
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, g.file, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var node ast.Node // the outermost one that begins on the line
	ast.Inspect(tree, func(n ast.Node) bool {
		_, comment := n.(*ast.CommentGroup)
		if n != nil && n != tree && node == nil && !comment && files.Position(n.Pos()).Line == below+1 {
			node = n
		}
		return node == nil && !comment
	})
	if node == nil {
		return "", fmt.Errorf("no statement begins on line %d", below+1)
	}
	return mutateNode(source, node, func(p token.Pos) int { return files.Position(p).Offset }, g.how)
}

// mutateLines changes the line at an offset, or several, as text.
func mutateLines(source string, start int, below []string, how string) (string, error) {
	old, text, replaces := cutChange(how)
	if count, ok := strings.CutPrefix(old, "next "); ok {
		n, err := strconv.Atoi(count)
		if err != nil || n > len(below) {
			return "", fmt.Errorf("%q: there are not so many lines", how)
		}
		return source[:start] + text + "\n" + source[start+len(strings.Join(below[:n], "")):], nil
	}
	end := start + len(below[0])
	if how == "" {
		return source[:start] + source[end:], nil
	}
	if !replaces {
		return "", fmt.Errorf("%q is for Go only", how)
	}
	return replaceOnce(source, start, end, old, text)
}

// mutateNode changes a node of Go. offset returns where a position is in the source.
func mutateNode(source string, node ast.Node, offset func(token.Pos) int, how string) (string, error) {
	from, to := offset(node.Pos()), offset(node.End())
	cond, body := parts(node)
	switch {
	case how == "" && cond != nil, how == "always":
		if cond == nil {
			return "", fmt.Errorf("%T has no condition", node)
		}
		format := map[string]string{"": "(%s) && false", "always": "(%s) || true"}[how]
		from, to = offset(cond.Pos()), offset(cond.End())
		return source[:from] + fmt.Sprintf(format, source[from:to]) + source[to:], nil
	case how == "":
		return remove(source, node, from, to)
	case how == "instead" || strings.HasPrefix(how, "instead "):
		return source[:from] + strings.TrimPrefix(how[len("instead"):], " ") + source[to:], nil
	}
	old, text, ok := cutChange(how)
	if !ok {
		return "", fmt.Errorf("%q is no way to remove a guard", how)
	}
	if body != nil { // the header first: the same text may be in the body
		if changed, err := replaceOnce(source, from, offset(body.Lbrace), old, text); err == nil {
			return changed, nil
		}
	}
	// A node that ends before its line is an operand in the middle of a chain.
	if line := from + strings.IndexByte(source[from:], '\n'); line > to {
		if changed, err := replaceOnce(source, from, line, old, text); err == nil {
			return changed, nil
		}
	}
	return replaceOnce(source, from, to, old, text)
}

// parts returns the condition of an if, a for, or a case without a tag, and the body of a statement.
func parts(node ast.Node) (cond ast.Expr, body *ast.BlockStmt) {
	switch n := node.(type) {
	case *ast.IfStmt:
		return n.Cond, n.Body
	case *ast.ForStmt:
		return n.Cond, n.Body
	case *ast.RangeStmt:
		return nil, n.Body
	case *ast.SwitchStmt:
		return nil, n.Body
	case *ast.CaseClause:
		if len(n.List) == 1 {
			return n.List[0], nil
		}
	}
	return nil, nil
}

// remove makes a statement unreached. Its variables stay used, so that the rest still compiles.
func remove(source string, node ast.Node, from, to int) (string, error) {
	switch n := node.(type) {
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return "", errors.New("what it defines is used: the mark must say how it is removed")
		}
	case *ast.CaseClause:
		return "", errors.New("a case of several conditions: the mark must say which of them is removed")
	case ast.Expr:
		return source[:from] + strings.TrimPrefix(source[to:], ","), nil
	case ast.Stmt:
	default:
		return "", fmt.Errorf("%T cannot be left out", node)
	}
	return source[:from] + "if false {\n" + source[from:to] + "\n}" + source[to:], nil
}

// cutChange splits OLD -> NEW.
func cutChange(how string) (old, text string, ok bool) {
	if old, ok = strings.CutSuffix(how, " ->"); ok {
		return old, "", true
	}
	return strings.Cut(how, " -> ")
}

// replaceOnce replaces a text that is once between two offsets.
func replaceOnce(source string, from, to int, old, text string) (string, error) {
	part := source[from:to]
	if n := strings.Count(part, old); n != 1 {
		return "", fmt.Errorf("%q is %d times below the mark, not once", old, n)
	}
	return source[:from] + strings.Replace(part, old, text, 1) + source[to:], nil
}
