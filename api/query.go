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

// strictQuery refuses queries that the document does not allow, but huma accepts silently. Examples are a
// query that cannot be parsed, or a number or boolean not spelled as in JSON. It refuses a parameter given
// twice, of which huma ignores the second. It refuses one without a value, for which huma uses the default,
// unless its schema takes an empty text. RejectUnknownQueryParameters refuses unknown ones elsewhere.
//
// It refuses a zero byte and text that is not UTF-8 in the path too, because no store holds such a text, and
// Postgres answers it with an error.
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
				if why := notAllowed(api, p, values); why != "" || !isText(values[0]) {
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

func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// notAllowed returns what is wrong with the values of one parameter, "" if nothing is.
func notAllowed(api huma.API, p *huma.Param, values []string) string {
	switch {
	case len(values) > 1 && p.Schema.Type == huma.TypeArray:
		return "given more than once: several values go into one, with commas"
	// guard: api: a parameter is given once
	case len(values) > 1:
		return "given more than once"
	case !spelled(api, p.Schema, values[0]) && values[0] == "":
		return "has no value: give one, or leave the parameter out"
	// guard: api: a parameter is spelled as in JSON
	case !spelled(api, p.Schema, values[0]):
		return "expected " + p.Schema.Type
	}
	return ""
}

var (
	integer = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	number  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// spelled reports whether text is a value of the schema as JSON spells it. A text it validates only if it is
// empty, because huma skips that one and validates all others itself.
func spelled(api huma.API, s *huma.Schema, text string) bool {
	switch s.Type {
	case huma.TypeInteger:
		return integer.MatchString(text)
	case huma.TypeNumber:
		return number.MatchString(text)
	case huma.TypeBoolean:
		return text == "true" || text == "false"
	case huma.TypeArray:
		misspelled := func(item string) bool { return !spelled(api, s.Items, item) }
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
