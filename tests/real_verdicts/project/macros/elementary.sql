{% materialization test, default %}{{ return(elementary.materialization_test_default()) }}{% endmaterialization %}
