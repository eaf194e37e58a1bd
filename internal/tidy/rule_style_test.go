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
	"unicode"
)

// Limits of docs/STYLE.md.
const (
	maxLine         = 110  // characters; a tab counts one
	maxSentence     = 30   // words
	maxMethodFiles  = 3    // files with methods of one type
	maxCommandLines = 5500 // of cmd/pitchstream without tests: engines and their reports are below internal
	minCommentShare = 0.2  // of the lines of the core that are not blank
)

// glossary are words that the field has another word for.
var glossary = []struct {
	word *regexp.Regexp
	say  string
}{
	{regexp.MustCompile(`(?i)\bwhoever\b`), "name who it is: the caller, the client, the next owner"},
	{regexp.MustCompile(`(?i)\bmend(s|ed|ing)?\b`), "repair"},
	{regexp.MustCompile(`(?i)\bwhat stands\b|\bstanding (row|pitch|version)s?\b`), "current"},
	{regexp.MustCompile(`(?i)\bfor good\b`), "permanently"},
	{regexp.MustCompile(`(?i)\b(comes?|came) again\b|\btaken twice\b`), "is redelivered, is reprocessed"},
	{regexp.MustCompile(`(?i)\b(is|are|was|were) told\b|\btells? (of|which|whether|how|what|who)\b`), "report, return"},
	{regexp.MustCompile(`(?i)\b(is|are|was|were) away\b`), "unavailable"},
	{regexp.MustCompile(`(?i)\bmeanwhile it\b`), "in the meantime"},
	{regexp.MustCompile(`\b(theirs|ours)\b`), "retryable or permanent; or name the owner"},
}

// letterAlone finds the short form of "dead letter". The alphabet's have a word of deadBefore in front of
// them.
var (
	letterAlone = regexp.MustCompile(`(?i)(\S*[\s-]+)?\b(letters?)\b`)
	deadBefore  = regexp.MustCompile(`(?i)^(dead|dead-|lower|upper|small|capital|case|first|of)\b`)
)

// badStarts are openings of sentences that hide what the sentence is about.
var badStarts = []string{"What ", "Whoever ", "Where it ", "Of "}

// comment is one comment of a file, without its markers.
type comment struct {
	file, text string
	line       int
	name       string // of the declaration that it documents; "": none
}

// Words reports comments in words that the glossary replaces.
func Words(comments []comment) (broken []string) {
	for _, c := range comments {
		for _, g := range glossary {
			if found := g.word.FindString(c.text); found != "" {
				broken = append(broken, fmt.Sprintf("%s:%d: %q: say %s", c.file, c.line, found, g.say))
			}
		}
		for _, m := range letterAlone.FindAllStringSubmatch(strings.TrimPrefix(c.text, c.name), -1) {
			if !deadBefore.MatchString(strings.TrimLeft(m[1], "(\"'“")) {
				broken = append(broken, fmt.Sprintf("%s:%d: %q: say dead letter", c.file, c.line, m[2]))
			}
		}
	}
	return broken
}

// Sentences reports sentences of comments that are too long, and those that open with a word of badStarts.
func Sentences(comments []comment) (broken []string) {
	for _, c := range comments {
		for _, s := range sentencesOf(c.text) {
			if n := wordsOf(s); n > maxSentence {
				broken = append(broken, fmt.Sprintf("%s:%d: a sentence of %d words: %.60s…", c.file, c.line, n, s))
			}
			for _, start := range badStarts {
				if strings.HasPrefix(s, start) {
					broken = append(broken, fmt.Sprintf("%s:%d: starts with %q: %.60s…", c.file, c.line, strings.TrimSpace(start), s))
				}
			}
		}
	}
	return broken
}

// sentenceEnd is a full stop, an exclamation or a question mark before white space, or an empty line.
var sentenceEnd = regexp.MustCompile(`[.!?]['")]?\s+|\n\n+`)

// sentencesOf splits prose. Preformatted lines, which are indented, and items of lists are sentences of their
// own.
func sentencesOf(text string) (sentences []string) {
	var prose strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "\t"), strings.HasPrefix(line, "   "):
			prose.WriteString("\n\n")
		case strings.HasPrefix(line, " - "), strings.HasPrefix(line, "- "):
			prose.WriteString("\n\n" + line)
		default:
			prose.WriteString(line)
		}
	}
	for _, s := range sentenceEnd.Split(prose.String(), -1) {
		if s = strings.Join(strings.Fields(s), " "); s != "" {
			sentences = append(sentences, s)
		}
	}
	return sentences
}

// wordsOf counts the fields that are not only digits and signs.
func wordsOf(s string) (n int) {
	for _, f := range strings.Fields(s) {
		if strings.IndexFunc(f, unicode.IsLetter) >= 0 {
			n++
		}
	}
	return n
}

// goComments are the comments of Go files, without directives and marks of guards.
func goComments(files []*File) (comments []comment) {
	for _, f := range files {
		names := documented(f.Syntax)
		for _, g := range f.Syntax.Comments {
			if text := strings.TrimSpace(withoutMarks(g.Text())); text != "" && !f.excused(f.line(g)) {
				comments = append(comments, comment{file: f.Path, line: f.line(g), text: text, name: names[g]})
			}
		}
	}
	return comments
}

// documented returns the names of the types, functions and fields that a file's comments document.
func documented(file *ast.File) map[*ast.CommentGroup]string {
	names := map[*ast.CommentGroup]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Doc] = n.Name.Name
		case *ast.GenDecl:
			if len(n.Specs) != 1 {
				break
			}
			if spec, ok := n.Specs[0].(*ast.TypeSpec); ok {
				names[n.Doc] = spec.Name.Name
			}
		case *ast.Field:
			if len(n.Names) > 0 {
				names[n.Doc] = n.Names[0].Name
			}
		}
		return true
	})
	return names
}

// mark is the line of a guard: it names code, not prose.
var mark = regexp.MustCompile(`(?m)^ ?(guard|tidy): .*$`)

func withoutMarks(text string) string { return mark.ReplaceAllString(text, "") }

// lineComment matches the comments of SQL, Lua and JavaScript that have a line of their own.
var lineComment = regexp.MustCompile(`^\s*(?:--|//) ?(.*)$`)

// otherComments are the comments of SQL, Lua and JavaScript files below root; neighbouring lines are one
// comment.
func otherComments(root string) (comments []comment, err error) {
	err = walk(root, func(name string) error {
		// Migrations are checksummed when they are applied, so their comments stay as they were released. Minified
		// files are others' work.
		if strings.HasSuffix(name, "-min.js") || !slices.Contains([]string{".sql", ".lua", ".js"}, filepath.Ext(name)) || within(name, "schemas/migrations") {
			return nil
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		c := comment{file: name}
		for i, line := range append(strings.Split(string(content), "\n"), "") {
			if m := lineComment.FindStringSubmatch(line); m != nil {
				if c.text == "" {
					c.line = i + 1
				}
				c.text += m[1] + "\n"
			} else if c.text != "" {
				if c.text = strings.TrimSpace(withoutMarks(c.text)); c.text != "" {
					comments = append(comments, c)
				}
				c.text = ""
			}
		}
		return nil
	})
	return comments, err
}

// LongLines reports lines of Go over maxLine characters. Struct tags and raw strings cannot be wrapped, and a
// table of a test reads better unwrapped where its line holds a string.
func LongLines(files []*File) (broken []string) {
	for _, f := range files {
		for i, line := range f.lines {
			n := len([]rune(line))
			if n <= maxLine || strings.Contains(line, "`") || inRawString(f, i+1) || f.excused(i+1) {
				continue
			}
			if mark.MatchString(strings.TrimPrefix(strings.TrimSpace(line), "//")) || f.Test && strings.Contains(line, `"`) {
				continue
			}
			broken = append(broken, fmt.Sprintf("%s:%d: %d characters, not %d", f.Path, i+1, n, maxLine))
		}
	}
	return broken
}

// LargeCommand reports a cmd/pitchstream that has more lines than flags, help and a Run a command need.
func LargeCommand(files []*File) (broken []string) {
	n := 0
	for _, f := range files {
		if f.Dir == "cmd/pitchstream" && !f.Test {
			n += len(f.lines) - 1 // the last one is empty
		}
	}
	if n > maxCommandLines {
		broken = append(broken, fmt.Sprintf("cmd/pitchstream:1: %d lines, not %d", n, maxCommandLines))
	}
	return broken
}

// inRawString reports whether a line is inside a raw string that spans several.
func inRawString(f *File, line int) (inside bool) {
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && strings.HasPrefix(l.Value, "`") {
			from, to := f.set.Position(l.Pos()).Line, f.set.Position(l.End()).Line
			inside = inside || from <= line && line <= to && from < to
		}
		return !inside
	})
	return inside
}

// EmbeddedStructs reports fields of consumer's structs without a name: who owns a promoted field cannot be
// seen.
func EmbeddedStructs(files []*File) (broken []string) {
	for _, f := range files {
		if f.Dir != "consumer" || f.Test {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			s, ok := n.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range s.Fields.List {
				if line := f.line(field); len(field.Names) == 0 && !f.excused(line) {
					broken = append(broken, fmt.Sprintf("%s:%d: embeds a type: name the field", f.Path, line))
				}
			}
			return true
		})
	}
	return broken
}

// ScatteredMethods reports types whose methods are in more than maxMethodFiles files.
func ScatteredMethods(files []*File) (broken []string) {
	where := map[string]map[string]bool{}
	for _, f := range files {
		if f.Test {
			continue
		}
		for _, d := range f.Syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
				t := f.Dir + "." + receiver(fn)
				if where[t] == nil {
					where[t] = map[string]bool{}
				}
				where[t][f.Path] = true
			}
		}
	}
	for t, in := range where {
		if len(in) > maxMethodFiles {
			broken = append(broken, fmt.Sprintf("%s has methods in %d files, not %d", t, len(in), maxMethodFiles))
		}
	}
	slices.Sort(broken)
	return broken
}

// receiver is the name of the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// ThinlyExplained reports the rooms of the core whose comments are less than minCommentShare of the lines.
func ThinlyExplained(files []*File) (broken []string) {
	for _, room := range []string{"features", "schemas"} {
		var comments, lines int
		for _, f := range files {
			if f.Test || !within(f.Dir, room) {
				continue
			}
			for _, line := range f.lines {
				if line = strings.TrimSpace(line); line != "" {
					lines++
				}
				if strings.HasPrefix(line, "//") {
					comments++
				}
			}
		}
		if share := float64(comments) / float64(max(lines, 1)); lines > 0 && share < minCommentShare {
			broken = append(broken, fmt.Sprintf("%s: %.1f %% of its lines are comments, not %.0f %%", room, 100*share, 100*minCommentShare))
		}
	}
	return broken
}
