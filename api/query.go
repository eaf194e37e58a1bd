package api

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// strictQuery returns a middleware that answers 422 to queries which the document does not allow, but huma
// accepts silently:
//
//   - A query that cannot be parsed.
//   - A number or boolean that is not spelled as in JSON.
//   - A parameter given twice, because huma ignores the second.
//   - A parameter without a value, unless its schema allows an empty text, because huma uses the default.
//
// huma itself refuses unknown parameters: document.go sets RejectUnknownQueryParameters.
//
// A text with a zero byte, or not in UTF-8, is refused in the query and in the path, because Postgres cannot
// hold it and would answer with an error.
func strictQuery(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		// guard: api: no store sees a text that it cannot hold
		if !isText(u.Path) {
			_ = huma.WriteErr(api, ctx, http.StatusUnprocessableEntity, "validation failed",
				&huma.ErrorDetail{Location: "path", Message: notText})
			return
		}
		if u.RawQuery == "" {
			next(ctx)
			return
		}
		var wrong []error
		query, err := url.ParseQuery(u.RawQuery)
		// guard: api: what cannot be read of a query is not passed over
		if err != nil {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query", Message: "cannot be read: " + err.Error()})
		}
		for _, p := range ctx.Operation().Parameters {
			if values, given := query[p.Name]; given && p.In == "query" {
				if why := faultOf(api, p, values); why != "" || !isText(values[0]) {
					why = cmp.Or(why, notText)
					value := strings.ToValidUTF8(strings.Join(values, " "), "\uFFFD")
					wrong = append(wrong, &huma.ErrorDetail{Location: "query." + p.Name, Message: why, Value: value})
				}
			}
		}
		if len(wrong) > 0 {
			_ = huma.WriteErr(api, ctx, http.StatusUnprocessableEntity, "validation failed", wrong...)
			return
		}
		next(ctx)
	}
}

const notText = "expected UTF-8 without a zero byte"

// isText reports whether the stores can hold a text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// faultOf returns the fault of one parameter's values as text, "" if there is none.
func faultOf(api huma.API, p *huma.Param, values []string) string {
	switch {
	case len(values) > 1 && p.Schema.Type == huma.TypeArray:
		return "given more than once: several values go into one, with commas"
	// guard: api: a parameter is given once
	case len(values) > 1:
		return "given more than once"
	case !isSpelled(api, p.Schema, values[0]) && values[0] == "":
		return "has no value: give one, or leave the parameter out"
	// guard: api: a parameter is spelled as in JSON
	case !isSpelled(api, p.Schema, values[0]):
		return "expected " + p.Schema.Type
	}
	return ""
}

var (
	integer = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	number  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// isSpelled reports whether text is a value of the schema as JSON spells it. For a schema of strings only the
// empty text is validated here, because huma validates all others itself and skips that one.
func isSpelled(api huma.API, s *huma.Schema, text string) bool {
	switch s.Type {
	case huma.TypeInteger:
		return integer.MatchString(text)
	case huma.TypeNumber:
		return number.MatchString(text)
	case huma.TypeBoolean:
		return text == "true" || text == "false"
	case huma.TypeArray:
		misspelled := func(item string) bool { return !isSpelled(api, s.Items, item) }
		return !slices.ContainsFunc(strings.Split(text, ","), misspelled)
	}
	var res huma.ValidateResult
	// guard: api: a parameter that is given has a value
	if text == "" {
		all, path := api.OpenAPI().Components.Schemas, huma.NewPathBuffer(nil, 0)
		huma.Validate(all, s, path, huma.ModeWriteToServer, text, &res)
	}
	return len(res.Errors) == 0
}
