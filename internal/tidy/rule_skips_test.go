package tidy

import (
	"fmt"
	"go/ast"
	"slices"
)

// Skips are the tests that may be skipped unnoticed. A test skips for -short, or because a
// variable that switches it on is not set; for want of something it skips only where CI is not set:
// testkit.Unavailable. A draw that rapid skips is drawn again.
func Skips(files []*File) (broken []string) {
	for _, f := range files {
		if f.nameOf("testing") == "" {
			continue
		}
		var within []ast.Node // from the file down to the node that is visited
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if n == nil {
				within = within[:len(within)-1]
				return true
			}
			// guard: a test that is skipped also under CI is found
			if isSkip(n) && !f.mayskip(within) && !f.excused(f.line(n)) {
				broken = append(broken, fmt.Sprintf("%s:%d: a test is skipped also under CI: testkit.Unavailable fails there", f.Path, f.line(n)))
			}
			within = append(within, n)
			return true
		})
	}
	return broken
}

func isSkip(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name)
}

// mayskip reports whether one of these, which stand around a skip, is a reason for it.
func (f *File) mayskip(within []ast.Node) bool {
	return slices.ContainsFunc(within, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			return mentions(n.Cond, f.nameOf("testing"), "Short") || mentions(n.Cond, f.nameOf("os"), "Getenv")
		case *ast.FuncDecl:
			return n.Name.Name == "Unavailable" && f.Dir == "internal/testkit"
		case *ast.FuncLit:
			return mentions(n.Type, "rapid", "T")
		}
		return false
	})
}
