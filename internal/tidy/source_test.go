package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// File is a Go file of the project.
type File struct {
	Path    string // slash-separated, from the root
	Dir     string // its folder; "." for the root
	Test    bool   // ends with _test.go
	Imports []Import
	Syntax  *ast.File

	set   *token.FileSet
	lines []string
}

// Import is one import and where it stands.
type Import struct {
	Path string
	Line int
}

// GoFiles reads all Go files below root, also those that build tags leave out.
func GoFiles(root string) (files []*File, err error) {
	err = walk(root, func(name string) error {
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		f, err := parse(name, content)
		files = append(files, f)
		return err
	})
	return files, err
}

func parse(name string, content []byte) (*File, error) {
	f := &File{Path: name, Dir: path.Dir(name), Test: strings.HasSuffix(name, "_test.go"), set: token.NewFileSet()}
	f.lines = strings.Split(string(content), "\n")
	var err error
	f.Syntax, err = parser.ParseFile(f.set, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, i := range f.Syntax.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		f.Imports = append(f.Imports, Import{imported, f.line(i)})
	}
	return f, nil
}

func (f *File) line(n ast.Node) int { return f.set.Position(n.Pos()).Line }

// excused reports whether a line carries the reason for an exception.
func (f *File) excused(line int) bool { return reason.MatchString(f.lines[line-1]) }

var reason = regexp.MustCompile(`(//|#|--) ?tidy: \S+`)

// nameOf returns the name of a standard library package in this file, "" if it is not imported.
func (f *File) nameOf(standard string) string {
	for _, i := range f.Syntax.Imports {
		if i.Path.Value != `"`+standard+`"` {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return path.Base(standard)
	}
	return ""
}

// walk visits the files below root by their slash-separated names, without hidden folders and what belongs to
// others.
func walk(root string, visit func(name string) error) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if p != root && (strings.HasPrefix(base, ".") || base == "vendor" || base == "node_modules") ||
				name == "out" {
				return filepath.SkipDir
			}
			return nil
		}
		return visit(filepath.ToSlash(name))
	})
}
