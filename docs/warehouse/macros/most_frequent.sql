{# The value that most rows of a group have; of two as frequent the lower one, the same in both databases. #}
{% macro most_frequent(column) -%}
    mode() within group (order by {{ column }})
{%- endmacro %}
