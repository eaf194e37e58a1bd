package tidy

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var user = regexp.MustCompile(`(?i)^\s*USER\s+(\S+)`)

// numericUser is what a platform that refuses root can check without looking into the image: a number that is
// not 0.
var numericUser = regexp.MustCompile(`^[1-9][0-9]*(:[1-9][0-9]*)?$`)

// RootImages are the Dockerfiles whose last stage runs as root, or as a user who is not named by number.
// Each lives in deploy/ and is called Dockerfile, whatever follows a dot.
func RootImages(root string) (broken []string, err error) {
	err = walk(root, func(name string) error {
		if path.Dir(name) != "deploy" || !strings.HasPrefix(path.Base(name), "Dockerfile") {
			return nil
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		if who := lastUser(string(content)); !numericUser.MatchString(who) {
			broken = append(broken, fmt.Sprintf("%s:1: its last stage runs as %q: want USER with a number that is not 0", name, who))
		}
		return nil
	})
	slices.Sort(broken)
	return broken, err
}

// lastUser is whom the last stage of a Dockerfile runs as; "" where it does not say, which is root.
func lastUser(dockerfile string) (who string) {
	for line := range strings.Lines(dockerfile) {
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(line)), "FROM ") {
			who = ""
		}
		if m := user.FindStringSubmatch(line); m != nil {
			who = m[1]
		}
	}
	return who
}
