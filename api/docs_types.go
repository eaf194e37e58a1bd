package api

import (
	"html/template"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// schemaName is the name of a schema that is referred to; "" for others.
func schemaName(s *huma.Schema) string {
	return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
}

// typeText is a schema in a word, with a link where it has a name.
func typeText(s *huma.Schema) template.HTML {
	if s == nil {
		return ""
	}
	if name := template.HTMLEscapeString(schemaName(s)); name != "" {
		return template.HTML(`<a href="#` + name + `">` + name + `</a>`)
	}
	if s.Type == huma.TypeArray {
		return "list of " + typeText(s.Items)
	}
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		return "by name: " + typeText(more)
	}
	text := s.Type
	if s.Format != "" {
		text += ", " + s.Format
	}
	if s.Nullable {
		text += ", or null"
	}
	return template.HTML(template.HTMLEscapeString(text))
}
