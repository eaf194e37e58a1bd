package fileinput

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	rawarchive "github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/schemas"
)

// openRemote opens the content that was listed, and no other. A file that was replaced in between is an
// error, because its size and time would be those of another.
func (f *File) openRemote(ctx context.Context) (io.ReadCloser, error) {
	content, _, err := f.store.OpenTagged(ctx, f.name, f.tag)
	if errors.Is(err, blob.ErrChanged) {
		return nil, fmt.Errorf("%w while this ran: run it again", err)
	}
	return content, err
}

// remote lists the files at a URL of storage: one file, everything below a prefix that ends at a slash, or a
// pattern with * and [ ].
func (l *lister) remote(place string) error {
	base, query, _ := strings.Cut(place, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	bucket, key, _ := strings.Cut(rest, "/")
	root := scheme + "://" + bucket
	whole := func(name string) string { return root + "/" + name }
	store, err := blob.Open(withQuery(root, query))
	if err != nil {
		return err
	}
	fixed := key
	isPattern := strings.ContainsAny(key, "*[")
	if isPattern {
		fixed = key[:strings.IndexAny(key, "*[")]
		if _, err := path.Match(key, ""); err != nil {
			return fmt.Errorf("%s: %w", base, err)
		}
	}
	belongs := belongsTo(strings.TrimSuffix(key, "/"))
	if isPattern {
		belongs = matches(strings.TrimSuffix(key, "/"))
	}
	list := func(prefix string) (files []*File, err error) {
		objects, err := store.List(l.ctx, prefix)
		for _, o := range objects {
			isFound, ok := belongs(o.Name)
			f := &File{
				Path: whole(o.Name), SizeBytes: o.Bytes, ModTime: o.Modified, found: isFound,
				store: store, name: o.Name, tag: o.Tag, abs: withQuery(whole(o.Name), query),
			}
			if ok && !strings.HasSuffix(o.Name, "/") && !l.isExcluded(f) {
				files = append(files, f)
			}
		}
		slices.SortStableFunc(files, func(a, b *File) int { return comparePaths(a.name, b.name) })
		return files, err
	}
	files, err := list(fixed)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: no file matches", base)
	}
	for len(files) > 0 {
		folder := path.Dir(files[0].name)
		n := slices.IndexFunc(files, func(f *File) bool { return path.Dir(f.name) != folder })
		if n < 0 {
			n = len(files)
		}
		again := func() []*File {
			files, err := list(strings.TrimPrefix(folder+"/", "./"))
			if err != nil {
				return nil
			}
			return slices.DeleteFunc(files, func(f *File) bool { return path.Dir(f.name) != folder })
		}
		l.remoteFolder(store, folder, files[:n], whole, again)
		files = files[n:]
	}
	return nil
}

func withQuery(place, query string) string {
	if query == "" {
		return place
	}
	return place + "?" + query
}

// belongsTo reports for the name of a file whether it is key or below it. isFound: below it.
func belongsTo(key string) func(name string) (isFound, ok bool) {
	return func(name string) (isFound, ok bool) {
		below, isBelow := strings.CutPrefix(name, key+"/")
		if key == "" {
			below, isBelow = name, true
		}
		return isBelow, name == key || isBelow && !isHiddenPath(below)
	}
}

// matches reports for the name of a file whether a pattern matches it, or a folder above it.
func matches(pattern string) func(name string) (isFound, ok bool) {
	n := strings.Count(pattern, "/") + 1
	return func(name string) (isFound, ok bool) {
		parts := strings.Split(name, "/")
		if len(parts) < n {
			return false, false
		}
		ok, _ = path.Match(pattern, strings.Join(parts[:n], "/"))
		return len(parts) > n, ok && !isHiddenPath(strings.Join(parts[n:], "/"))
	}
}

func isHiddenPath(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// isExcluded reports whether a file in storage is one of Options.Exclude, or below it.
func (l *lister) isExcluded(f *File) bool {
	return f.found && slices.ContainsFunc(l.o.Exclude, func(x string) bool {
		if !blob.IsURL(x) {
			return false
		}
		x, _, _ = strings.Cut(x, "?")
		x = strings.TrimSuffix(x, "/")
		return f.Path == x || strings.HasPrefix(f.Path, x+"/")
	})
}

// remoteFolder adds the files of one folder. again lists it once more, and returns nil if it cannot.
func (l *lister) remoteFolder(
	store blob.Store, folder string, files []*File, whole func(name string) string, again func() []*File,
) {
	look := func() (names []string, of *segments) {
		// A file that is named is read as it is.
		if slices.ContainsFunc(files, func(f *File) bool { return f.found }) {
			names = schemas.Map(files, func(f *File) string { return path.Base(f.name) })
		}
		return names, segmentsAmong(names, func() ([]byte, error) {
			name := path.Join(folder, rawarchive.ManifestName)
			text, _, err := store.Read(l.ctx, name, rawarchive.MaxManifestBytes)
			return text, err
		})
	}
	names, of := look()
	for n := 1; of.lacks(names) && n < maxListings; n++ {
		if listed := again(); listed != nil {
			files = listed
		}
		names, of = look()
	}
	for _, f := range files {
		if of.admit(l, f.Path, path.Base(f.name)) {
			l.add(f)
			of.check(l.files, path.Base(f.name))
		}
	}
	of.reportMissing(l, func(name string) string { return whole(path.Join(folder, name)) })
}

// comparePaths orders paths as folders that are read one after the other: by each name, numbers as numbers.
func comparePaths(a, b string) int {
	for a != "" && b != "" {
		headA, restA, _ := strings.Cut(a, "/")
		headB, restB, _ := strings.Cut(b, "/")
		if c := compareNumbered(headA, headB); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return len(a) - len(b)
}
