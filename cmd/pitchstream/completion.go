package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" name:"SHELL" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help returns the text of completion --help below its first line.
func (completionCmd) Help() string {
	return `
Add it to the file that your shell reads at its start:

  echo 'source <(pitchstream completion bash)' >> ~/.bashrc
  echo 'source <(pitchstream completion zsh)' >> ~/.zshrc
  pitchstream completion fish > ~/.config/fish/completions/pitchstream.fish`
}

// shellCode makes a shell ask this program, at %[1]s, for what may follow.
var shellCode = map[string]string{
	"bash": `complete -o default -o bashdefault -C %[1]s pitchstream
`,
	"zsh": `autoload -U +X bashcompinit && bashcompinit
complete -o default -o bashdefault -C %[1]s pitchstream
`,
	"fish": `function __complete_pitchstream
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct)
    and set COMP_LINE "$COMP_LINE "
    %[1]s
end
complete -f -c pitchstream -a "(__complete_pitchstream)"
`,
}

// Run writes the code that makes the shell ask this program.
func (c *completionCmd) Run(std *stdio) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, shellCode[c.Shell], program)
	return err
}

// complete writes one candidate a line: what may follow the line that a shell gives in COMP_LINE, up to its
// cursor in COMP_POINT. It is our own, because the libraries for it import text/template, with which the
// linker keeps every method of every type: ten megabytes.
func complete(to io.Writer, root *kong.Node, line, point string) {
	if at, err := strconv.Atoi(point); err == nil && at >= 0 && at < len(line) {
		line = line[:at]
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	words = words[1:]
	if strings.HasSuffix(line, " ") || len(words) == 0 {
		words = append(words, "")
	}
	last := words[len(words)-1]
	node, pending := follow(root, words[:len(words)-1])
	if flag, value, ok := strings.Cut(last, "="); ok && strings.HasPrefix(flag, "--") {
		pending, last = flagOf(node, flag), value
	}
	for _, candidate := range candidates(node, pending, last) {
		if strings.HasPrefix(candidate, last) {
			fmt.Fprintln(to, candidate)
		}
	}
}

// follow returns the command that complete words name, and the flag whose value comes next, or nil.
func follow(node *kong.Node, words []string) (*kong.Node, *kong.Flag) {
	var pending *kong.Flag
	for _, word := range words {
		if pending != nil { // the word is its value
			pending = nil
			continue
		}
		if strings.HasPrefix(word, "-") {
			if flag := flagOf(node, word); flag != nil && !flag.IsBool() {
				pending = flag
			}
			continue
		}
		at := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == word })
		if at >= 0 {
			node = node.Children[at]
		}
	}
	return node, pending
}

func flagOf(node *kong.Node, word string) *kong.Flag {
	for ; node != nil; node = node.Parent {
		for _, flag := range node.Flags {
			if word == "--"+flag.Name || flag.Short != 0 && word == "-"+string(flag.Short) {
				return flag
			}
		}
	}
	return nil
}

// candidates returns everything that may stand after a command, or as the value of a flag. Without any the
// shell offers files.
func candidates(node *kong.Node, pending *kong.Flag, last string) (all []string) {
	if pending != nil {
		return pending.EnumSlice()
	}
	if strings.HasPrefix(last, "-") {
		for n := node; n != nil; n = n.Parent {
			for _, flag := range n.Flags {
				if !flag.Hidden {
					all = append(all, "--"+flag.Name)
				}
			}
		}
		return all
	}
	for _, child := range node.Children {
		if !child.Hidden {
			all = append(all, child.Name)
		}
	}
	for _, positional := range node.Positional {
		all = append(all, positional.EnumSlice()...)
	}
	return all
}
