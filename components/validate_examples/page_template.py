"""The statistics page's template (Jinja).

It is a module and not a file beside, because a stage's cache key follows modules: a page from the
cache is then always the page that this template gives. Everything a page shows is escaped; it loads
nothing, and its content security policy says so to the browser.
"""

TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Statistics of the examples</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fbfcfd; --soft: #5a6572;
  --line: #dde2e8; --card: #fff; --fill: #f0f3f6; --a: #2f6fb2; --b: #d9772b; --c: #4d8f5c;
  --d: #8a5fb0; --heat: #e8705f; --bad: #a40e26; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #121518; --soft: #a3adb8;
  --line: #333b44; --card: #1a1e22; --fill: #252b31; --a: #6aa9ec; --b: #f0a060; --c: #7cc48c;
  --d: #c09be0; --heat: #a83a2b; --bad: #ff8f9c; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 84rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .3rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; } p { margin: .3rem 0; max-width: 60rem; }
.soft { color: var(--soft); } .warn { color: var(--bad); } .scroll { overflow-x: auto; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0 0; }
.tile, .card, .panel { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.tile { padding: .6rem 1rem; min-width: 8.5rem; } .tile b { display: block; font-size: 1.35rem; }
.panel { padding: 1rem; margin-top: .7rem; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
  gap: .8rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: .8rem;
  margin-top: .7rem; }
.card { padding: .9rem 1rem; min-width: 0; } .card:target { outline: 2px solid var(--a); }
.head { display: flex; gap: .6rem; align-items: baseline; justify-content: space-between; }
.kind { color: var(--soft); font-size: .8rem; white-space: nowrap; }
.label { border: 1px solid var(--a); color: var(--a); border-radius: 9px; padding: 0 .45rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .16rem 0 .16rem .9rem; border-bottom: 1px solid var(--line);
  font-weight: 400; white-space: nowrap; }
th:first-child, td.text { text-align: left; padding-left: 0; }
thead th { color: var(--soft); } tbody tr:last-child > * { border-bottom: 0; }
.card table { margin-top: .5rem; }
a { color: var(--a); }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.axis { stroke: var(--line); stroke-width: 1; }
.s0 { --hue: var(--a); } .s1 { --hue: var(--b); } .s2 { --hue: var(--c); } .s3 { --hue: var(--d); }
svg .shape { fill: var(--hue); fill-opacity: .28; stroke: var(--hue); stroke-width: 1.4; }
svg .bar { fill: var(--a); } svg .line { fill: none; stroke: var(--b); stroke-width: 2; }
svg .point { fill: var(--b); } svg .cell { stroke: var(--paper); stroke-width: 1.5; }
svg .ground { fill: var(--fill); } svg .heat { fill: var(--heat); }
svg .name { font-size: 12px; fill: var(--ink); } svg .inside { fill: var(--ink); }
.ends { display: flex; justify-content: space-between; font-size: .75rem; color: var(--soft); }
.picture { margin: .7rem 0 0; } .values { margin: .7rem 0 0; padding: 0; list-style: none; }
.values li { display: grid; grid-template-columns: 7.5rem 1fr 3.4rem; gap: .5rem;
  align-items: center; font-size: .8rem; padding: .1rem 0; }
.values .word { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.values .share { text-align: right; font-variant-numeric: tabular-nums; color: var(--soft); }
.dot { display: inline-block; width: .7rem; height: .7rem; border-radius: 3px; opacity: .85;
  background: var(--hue); margin: 0 .3rem 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .86rem; }
svg .share-bar { fill: var(--hue); fill-opacity: .75; }
details { margin-top: .7rem; } summary { cursor: pointer; color: var(--a); }
@media print { :root { color-scheme: light; --paper: #fff; --ink: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; } .card, tr, svg { break-inside: avoid; }
  .scroll { overflow: visible; } .scroll svg { max-width: 100% !important; }
  .scroll table { font-size: 7.5pt; } .scroll th, .scroll td { white-space: normal; padding-left: .4rem; }
  .values .word { overflow: visible; white-space: normal; overflow-wrap: anywhere; }
  .dot { print-color-adjust: exact; } details::details-content { content-visibility: visible; }
  a[href]:not([href^="#"])::after { content: " (" attr(href) ")"; } }
</style>
</head>
<body>
<main>
<h1>Statistics of the examples</h1>
<p class="soft">By TFDV, over every row. Beside this page lie the same statistics as TFMD protos, by
split and by span, and <a href="{{ facets.FILE_NAME }}">TFDV's own page</a>, which loads scripts from
{{ facets.HOSTS | join(" and ") }} when it is opened.</p>

<div class="tiles">
<div class="tile"><b>{{ manifest.rows | count }}</b>rows</div>
{% for split in splits %}
<div class="tile s{{ loop.index0 % 4 }}"><b>{{ split.rows | count }}</b><span class="dot"></span>{{ split.name }}</div>
{% endfor %}
<div class="tile"><b>{{ manifest.columns | length | count }}</b>columns</div>
<div class="tile"><b>{{ spans | length | count }}</b>{{ "span" if spans | length == 1 else "spans" }}</div>
{% if dropped %}
<div class="tile"><b>{{ dropped | count }}</b>rows left out</div>
{% endif %}
</div>

{% macro span_chart(chart, title, percent) %}
<svg viewBox="-46 -16 580 200" role="img" aria-label="{{ title }}">
{% for part in [0, 0.5, 1] %}
<line class="axis" x1="0" x2="520" y1="{{ 150 - 150 * part }}" y2="{{ 150 - 150 * part }}"/>
<text x="-8" y="{{ 154 - 150 * part }}" text-anchor="end">{{ (chart.top * part) | percent if percent else (chart.top * part) | count }}</text>
{% endfor %}
{% if percent %}
<polyline class="line" points="{{ chart.line }}"/>
{% endif %}
{% for mark in chart.marks %}
{% set center = mark.x + mark.width / 2 %}
<g><title>{{ mark.span }}: {{ mark.value | percent if percent else mark.value | count }}</title>
{% if percent %}
<circle class="point" cx="{{ center | place }}" cy="{{ mark.y | place }}" r="3.4"/>
{% else %}
<rect class="bar" x="{{ mark.x | place }}" y="{{ mark.y | place }}" width="{{ mark.width | place }}" height="{{ mark.height | place }}" rx="1.5"/>
{% endif %}
</g>
{% if mark.labelled %}
<text x="{{ center | place }}" y="168" text-anchor="middle">{{ mark.span }}</text>
{% endif %}
{% endfor %}
</svg>
{% endmacro %}

{% if spans | length > 1 %}
<h2>Spans</h2>
{% if spans_left_out %}
<p class="soft">The last {{ spans | length }} spans; {{ spans_left_out }} earlier ones are in the protos.</p>
{% endif %}
<div class="panels">
<div class="panel"><h3>Rows in each span</h3>{{ span_chart(rows_chart, "rows in each span", false) }}</div>
{% if label_chart.marks %}
<div class="panel"><h3>Share of rows with {{ manifest.label }} = 1 in each span</h3>
{{ span_chart(label_chart, "share of positive labels in each span", true) }}</div>
{% endif %}
</div>
{% endif %}

{% if heat %}
<h2>Drift over spans</h2>
<p class="soft">The distance of each span from the span before it, as TFDV measures it and as the drift
gate judges it: L-infinity for text, Jensen-Shannon for numbers, from 0 (the same) to 1. The columns
that moved most come first{% if heat_left_out %}; {{ heat_left_out }} further ones moved
less than those shown or were not measured{% endif %}.</p>
<div class="panel scroll" role="region" aria-label="Drift over spans" tabindex="0">
<svg role="img" aria-label="distance of each span from the one before, by column" width="{{ heat_width }}"
  style="width: {{ heat_width }}px; max-width: none" viewBox="0 0 {{ heat_width }} {{ heat_height }}">
{% for cell in heat[0].cells %}
<text x="{{ left + loop.index0 * cell_width + cell_width / 2 }}" y="14" text-anchor="middle">{{ cell.span[2:] }}</text>
{% endfor %}
{% for row in heat %}
{% set top = 22 + loop.index0 * cell_height %}
<text class="name" x="{{ left - 8 }}" y="{{ top + 15 }}" text-anchor="end">{{ row.name | shown }}</text>
{% for cell in row.cells %}
{% set x = left + loop.index0 * cell_width %}
<g><title>{{ row.name }}, {{ cell.span }} against {{ cell.before }}: {{ "not measured" if cell.distance is none else "%.4f" | format(cell.distance) }}</title>
<rect class="cell ground" x="{{ x }}" y="{{ top }}" width="{{ cell_width }}" height="{{ cell_height }}" rx="3"/>
{% if cell.distance is not none %}
<rect class="cell heat" x="{{ x }}" y="{{ top }}" width="{{ cell_width }}" height="{{ cell_height }}" rx="3" fill-opacity="{{ "%.3f" | format(cell.strength * 0.95) }}"/>
{% endif %}
<text class="inside" x="{{ x + cell_width / 2 }}" y="{{ top + 15 }}" text-anchor="middle">{{ "-" if cell.distance is none else cell.distance | distance }}</text></g>
{% endfor %}
{% endfor %}
</svg>
</div>
{% endif %}

<h2>Columns</h2>
<p class="legend">{% for split in splits %}<span class="s{{ loop.index0 % 4 }}"><span class="dot"></span>{{ split.name }}{{ ": " ~ split.spans if split.spans }}</span>{% endfor %}</p>
{% if columns_left_out %}
<p class="warn">The first {{ cards | length }} columns by name; {{ columns_left_out }} further ones are in the
protos only.</p>
{% endif %}
<details><summary>All columns as a table</summary>
<div class="panel scroll" role="region" aria-label="All columns" tabindex="0"><table>
<thead><tr><th scope="col">column</th><th scope="col">type</th>{% for split in splits %}<th scope="col">missing, {{ split.name }}</th>{% endfor %}{% for split in splits %}<th scope="col">mean or distinct, {{ split.name }}</th>{% endfor %}{% if heat %}<th scope="col">largest drift</th>{% endif %}</tr></thead>
<tbody>
{% for card in cards %}
<tr><th scope="row"><a href="#column-{{ loop.index }}">{{ card.name | shown }}</a></th><td>{{ card.kind }}</td>{% for side in card.sides %}<td>{{ side.missing | percent }}</td>{% endfor %}{% for side in card.sides %}<td>{{ side.centre }}</td>{% endfor %}{% if heat %}<td>{{ "-" if card.drift is none else card.drift | distance }}</td>{% endif %}</tr>
{% endfor %}
</tbody></table></div></details>

<div class="cards">
{% for card in cards %}
<article class="card" id="column-{{ loop.index }}">
<div class="head"><h3>{{ card.name }}</h3><span class="kind">{% if card.is_label %}<span class="label">label</span> {% endif %}{{ card.kind }}</span></div>
{% if card.histogram %}
<div class="picture"><svg viewBox="0 0 320 111" role="img" aria-label="histogram of {{ card.name }}">
{% for shape in card.histogram.shapes %}
<path class="shape s{{ shape.split | index_of(splits) % 4 }}" d="{{ shape.path }}"><title>{{ shape.split }}</title></path>
{% endfor %}
<line class="axis" x1="0" x2="320" y1="110.5" y2="110.5"/>
</svg><div class="ends"><span>{{ card.histogram.low | number }}</span><span>{{ card.histogram.high | number }}</span></div></div>
{% elif card.bars %}
<ul class="values">
{% for bar in card.bars %}
<li title="{% for split, share in bar.shares %}{{ split }} {{ share | percent }}{{ ", " if not loop.last }}{% endfor %}"><span class="word">{{ bar.label }}</span><svg viewBox="0 0 100 {{ 7 * bar.shares | length }}" preserveAspectRatio="none" style="height: {{ 7 * bar.shares | length }}px" aria-hidden="true">
{% for split, width in bar.widths %}
<rect class="share-bar s{{ split | index_of(splits) % 4 }}" x="0" y="{{ 7 * loop.index0 + 0.5 }}" width="{{ width | place }}" height="6"/>
{% endfor %}
</svg><span class="share">{{ bar.shares[0][1] | percent }}</span></li>
{% endfor %}
</ul>
{% else %}
<p class="warn">no value at all</p>
{% endif %}
<table>
<thead><tr><th scope="col">measure</th>{% for split in splits %}<th scope="col">{{ split.name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for measure, values in card.measures %}
<tr><th scope="row">{{ measure }}</th>{% for value in values %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table>
</article>
{% endfor %}
</div>
</main>
</body>
</html>
"""  # noqa: E501 - lines of HTML
