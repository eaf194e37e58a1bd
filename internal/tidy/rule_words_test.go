package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Sleeps reports calls of time.Sleep in tests, and statements that only receive from time.After, which is the
// same. A test waits for an event, because any time is too short on a busy machine and too long on others. In
// virtual time a sleep takes none, so it is allowed inside a call of synctest.Test, and in a function that
// calls synctest.Wait, which panics elsewhere.
func Sleeps(files []*File) (broken []string) {
	for _, f := range files {
		if !f.Test {
			continue
		}
		clock, bubble := f.nameOf("time"), f.nameOf("testing/synctest")
		cases := map[ast.Node]bool{} // of selects, where time.After limits another wait
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CommClause:
				cases[n.Comm] = true
			case *ast.CallExpr:
				if isSelector(n.Fun, bubble, "Test") {
					return false
				}
			case *ast.FuncDecl:
				if mentions(n, bubble, "Wait") {
					return false
				}
			}
			if (isSleep(n, clock) || isBareAfter(n, clock) && !cases[n]) && !f.excused(f.line(n)) {
				const text = "%s:%d: time.Sleep in a test: wait for what it waits for"
				broken = append(broken, fmt.Sprintf(text, f.Path, f.line(n)))
			}
			return true
		})
	}
	return broken
}

func isSleep(n ast.Node, clock string) bool {
	e, ok := n.(ast.Expr)
	return ok && isSelector(e, clock, "Sleep")
}

// isBareAfter reports whether n is the statement <-time.After(…).
func isBareAfter(n ast.Node, clock string) bool {
	block, ok := n.(*ast.ExprStmt)
	if !ok {
		return false
	}
	receive, ok := block.X.(*ast.UnaryExpr)
	if !ok || receive.Op != token.ARROW {
		return false
	}
	call, ok := receive.X.(*ast.CallExpr)
	return ok && isSelector(call.Fun, clock, "After")
}

// mentions reports whether a package's name is somewhere in n.
func mentions(n ast.Node, pkg, name string) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		found = found || ok && isSelector(e, pkg, name)
		return !found
	})
	return found
}

// isSelector reports whether e is the name of a package.
func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && pkg != "" && x.Name == pkg
}

// texts are the endings and names of the files that people write here.
var texts = []string{
	".go", ".md", ".sql", ".lua", ".sh", ".yaml", ".yml", ".json", ".toml", ".html", ".css", ".js", ".ts", ".txt", ".py", ".mod",
	"Makefile", "Dockerfile",
}

// machinePath matches a folder of one machine. The character before it excludes the end of a longer path or
// word.
var machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_.~$}*/-])/(work|root)/`)

// MachinePaths are the lines that name a folder of the machine that they were written on.
func MachinePaths(root string) (broken []string, err error) {
	err = walk(root, func(name string) error {
		if !slices.ContainsFunc(texts, func(t string) bool { return strings.HasSuffix(name, t) }) {
			return nil
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		if !machinePath.Match(content) { // most files: quickly
			return nil
		}
		for i, line := range strings.Split(string(content), "\n") {
			if machinePath.MatchString(line) && !reason.MatchString(line) {
				broken = append(broken, fmt.Sprintf("%s:%d: a path of one machine: %s", name, i+1, strings.TrimSpace(line)))
			}
		}
		return nil
	})
	return broken, err
}
