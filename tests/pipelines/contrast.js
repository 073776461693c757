// Every text that is shown with too little contrast: WCAG 2.2, success criterion 1.4.3 (AA).
// The ratio is that of the WCAG definition; what lies behind a text is found by its ancestors and,
// inside a picture, by the shapes drawn before it that its middle lies on.
() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const luminance = ({ r, g, b }) => {
    const [red, green, blue] = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (one, two) => {
    const [dark, light] = [luminance(one), luminance(two)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const chain = (element) => (element ? [...chain(element.parentElement), element] : []);
  const faded = (color, opacity) => ({ ...color, a: color.a * Number(opacity) });
  const painted = (shape) => {
    const style = getComputedStyle(shape);
    return style.fill.startsWith("rgb") ? faded(parse(style.fill), style.fillOpacity) : null;
  };
  const behindInPicture = (element, x, y) => {
    const picture = element.closest("svg");
    if (!picture) return [];
    const before = [...picture.querySelectorAll("rect, circle, path")].filter(
      (shape) => shape.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING,
    );
    return before
      .filter((shape) => {
        const box = shape.getBoundingClientRect();
        return box.left <= x && x <= box.right && box.top <= y && y <= box.bottom;
      })
      .map(painted)
      .filter(Boolean);
  };
  const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const canvas = scheme === "dark" ? "rgb(18, 18, 18)" : "rgb(255, 255, 255)";
  const findings = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const hidden = element.closest("title, style, [hidden]") || !element.checkVisibility();
    if (!node.textContent.trim() || hidden || !box.width) continue;
    looked += 1;
    const style = getComputedStyle(element);
    const isDrawn = element instanceof SVGElement;
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const layers = [
      ...chain(element).map((one) => parse(getComputedStyle(one).backgroundColor)),
      ...behindInPicture(element, x, y),
    ];
    const ground = layers.reduce((below, top) => over(top, below), parse(canvas));
    const opacity = chain(element).reduce((all, one) => all * getComputedStyle(one).opacity, 1);
    const ink = isDrawn ? faded(parse(style.fill), style.fillOpacity) : parse(style.color);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const [found, needed] = [ratio(over(faded(ink, opacity), ground), ground), isLarge ? 3 : 4.5];
    if (found < needed)
      findings.push(`${found.toFixed(2)} < ${needed}: ${node.textContent.trim().slice(0, 40)}`);
  }
  return { looked, findings };
};
