package localpg

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// showProgress gives the body of a response to read, and what to call when it was read. On a terminal a bar grows;
// elsewhere a line says what is fetched, and how much.
func showProgress(w io.Writer, url string, resp *http.Response) (io.Reader, func()) {
	if w == nil {
		return resp.Body, func() {}
	}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(w, "fetching Postgres %s, %d MB, once: %s\n", pinnedVersion, (resp.ContentLength+500_000)/1_000_000, url)
		return resp.Body, func() {}
	}
	bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	bar := bars.AddBar(resp.ContentLength,
		mpb.PrependDecorators(decor.Name("fetching Postgres "+pinnedVersion+", once "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage()))
	return bar.ProxyReader(resp.Body), func() {
		bar.Abort(false) // does nothing to a bar that is full
		bars.Wait()
	}
}
