package api

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// strictQuery refuses queries that the document does not allow, but huma accepts silently. Examples are a
// query that cannot be parsed, or a number or boolean not spelled as in JSON. It also refuses a parameter
// given twice, of which huma ignores the second, and one without a value, for which huma uses the default.
func strictQuery(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
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
				if why := notAllowed(api, p, values); why != "" {
					value := strings.Join(values, " ")
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

// notAllowed returns what is wrong with the values of one parameter, "" if nothing is.
func notAllowed(api huma.API, p *huma.Param, values []string) string {
	switch {
	case len(values) > 1 && p.Schema.Type == huma.TypeArray:
		return "given more than once: several values go into one, with commas"
	// guard: api: a parameter is given once
	case len(values) > 1:
		return "given more than once"
	case !spelled(api, p.Schema, values[0]) && values[0] == "":
		return "has no value: expected " + p.Schema.Type + ", or none of it"
	// guard: api: a parameter is spelled as in JSON
	case !spelled(api, p.Schema, values[0]):
		return "expected " + p.Schema.Type
	}
	return ""
}

var integer = regexp.MustCompile(`^-?[0-9]+$`)

// spelled reports whether text is a value of the schema as JSON spells it. It validates the value of an empty
// string only, because huma skips that one and validates all others itself.
func spelled(api huma.API, s *huma.Schema, text string) bool {
	switch s.Type {
	case huma.TypeInteger:
		return integer.MatchString(text)
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
