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
	node, parent := nodeOn(files, tree, below+1)
	if node == nil {
		return "", fmt.Errorf("no statement begins on line %d", below+1)
	}
	offset := func(p token.Pos) int { return files.Position(p).Offset }
	m := mutation{source: source, node: node, parent: parent, offset: offset}
	return m.apply(g.how)
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
	line := below[0]
	if how == "" {
		return source[:start] + source[start+len(line):], nil
	}
	if !replaces {
		return "", fmt.Errorf("%q is for Go only", how)
	}
	return replaceOnce(source, start, start+len(line), old, text)
}

// nodeOn returns the outermost node that begins on a line, and the node around it.
func nodeOn(files *token.FileSet, tree *ast.File, line int) (found, parent ast.Node) {
	var path []ast.Node
	ast.Inspect(tree, func(n ast.Node) bool {
		if n == nil {
			path = path[:len(path)-1]
			return true
		}
		if _, comment := n.(*ast.CommentGroup); comment || found != nil {
			path = append(path, n)
			return true
		}
		if len(path) > 0 && files.Position(n.Pos()).Line == line {
			found, parent = n, path[len(path)-1]
		}
		path = append(path, n)
		return true
	})
	return found, parent
}

// mutation is one change of one node.
type mutation struct {
	source       string
	node, parent ast.Node
	offset       func(token.Pos) int
}

func (m *mutation) apply(how string) (string, error) {
	from, to := m.offset(m.node.Pos()), m.offset(m.node.End())
	switch {
	case how == "":
		return m.remove(from, to)
	case how == "always":
		return m.condition("(%s) || true")
	case how == "instead" || strings.HasPrefix(how, "instead "):
		return m.source[:from] + strings.TrimPrefix(how[len("instead"):], " ") + m.source[to:], nil
	}
	old, text, ok := cutChange(how)
	if !ok {
		return "", fmt.Errorf("%q is no way to remove a guard", how)
	}
	if body := m.body(); body != nil { // the header first: the same text may be in the body
		if changed, err := replaceOnce(m.source, from, m.offset(body.Lbrace), old, text); err == nil {
			return changed, nil
		}
	}
	// A node that ends before its line is an operand in the middle of a chain.
	if line := from + strings.IndexByte(m.source[from:], '\n'); line > to {
		if changed, err := replaceOnce(m.source, from, line, old, text); err == nil {
			return changed, nil
		}
	}
	return replaceOnce(m.source, from, to, old, text)
}

func (m *mutation) body() *ast.BlockStmt {
	switch n := m.node.(type) {
	case *ast.IfStmt:
		return n.Body
	case *ast.ForStmt:
		return n.Body
	case *ast.RangeStmt:
		return n.Body
	case *ast.SwitchStmt:
		return n.Body
	}
	return nil
}

// condition rewrites the condition of an if, a for, or a case without a tag.
func (m *mutation) condition(format string) (string, error) {
	var cond ast.Expr
	switch n := m.node.(type) {
	case *ast.IfStmt:
		cond = n.Cond
	case *ast.ForStmt:
		cond = n.Cond
	case *ast.CaseClause:
		if len(n.List) == 1 {
			cond = n.List[0]
		}
	}
	if cond == nil {
		return "", fmt.Errorf("%T has no condition", m.node)
	}
	from, to := m.offset(cond.Pos()), m.offset(cond.End())
	return m.source[:from] + fmt.Sprintf(format, m.source[from:to]) + m.source[to:], nil
}

// remove makes a statement unreached. Its variables stay used, so that the rest still
// compiles.
func (m *mutation) remove(from, to int) (string, error) {
	switch n := m.node.(type) {
	case *ast.IfStmt, *ast.ForStmt, *ast.CaseClause:
		return m.condition("(%s) && false")
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return "", errors.New("what it defines is used: the mark must say how it is removed")
		}
	case ast.Expr:
		if rest := m.source[to:]; strings.HasPrefix(rest, ",") {
			to++
		}
		return m.source[:from] + m.source[to:], nil
	case ast.Stmt:
	default:
		return "", fmt.Errorf("%T cannot be left out", m.node)
	}
	return m.source[:from] + "if false {\n" + m.source[from:to] + "\n}" + m.source[to:], nil
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
