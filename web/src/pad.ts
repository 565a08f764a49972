// The drawing pad: strokes to the pixels that a data set of handwriting would have had.

export type Stroke = Array<[number, number]>; // in the pad, 0 to 1

export interface Frame {
  height: number;
  width: number;
  levels: number;
  box: number; // how much of the height or width a digit fills
  mass: boolean; // centred by its mass, else by its box
  pen: number; // width of a stroke, of the height
}

/** Strokes scaled into the box of the data, centred as they are, drawn with their pen, and averaged over each pixel. */
export function pixelsOfStrokes(strokes: Stroke[], frame: Frame): Float64Array {
  const { height, width, levels } = frame, fine = 8;
  const pixels = new Float64Array(height * width), points = strokes.flat();
  if (!points.length) return pixels;
  const xs = points.map((one) => one[0]), ys = points.map((one) => one[1]);
  const low = [Math.min(...xs), Math.min(...ys)], high = [Math.max(...xs), Math.max(...ys)];
  const span = Math.max(high[0] - low[0], high[1] - low[1], 0.05);
  const scale = (frame.box - frame.pen) / span;
  const place = ([x, y]: [number, number]): [number, number] => [
    (x - (low[0] + high[0]) / 2) * scale, (y - (low[1] + high[1]) / 2) * scale,
  ];
  const moved = strokes.map((stroke) => stroke.map(place));
  let [dx, dy] = [0, 0];
  if (frame.mass) {
    let length = 0;
    for (const stroke of moved)
      stroke.forEach(([x, y], at) => {
        const [a, b] = at ? stroke[at - 1] : [x, y], step = Math.hypot(x - a, y - b) + 1e-9;
        dx -= ((x + a) / 2) * step; dy -= ((y + b) / 2) * step; length += step;
      });
    dx /= length; dy /= length;
  }
  const canvas = document.createElement("canvas");
  canvas.width = width * fine; canvas.height = height * fine;
  const pen = canvas.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
  const size = Math.min(canvas.width, canvas.height);
  pen.lineWidth = frame.pen * size; pen.lineCap = pen.lineJoin = "round"; pen.strokeStyle = "#fff";
  for (const stroke of moved) {
    pen.beginPath();
    stroke.forEach(([x, y], at) => {
      const to: [number, number] = [canvas.width / 2 + (x + dx) * size, canvas.height / 2 + (y + dy) * size];
      if (at) pen.lineTo(...to);
      else { pen.moveTo(...to); pen.lineTo(to[0] + 0.01, to[1]); }
    });
    pen.stroke();
  }
  const drawn = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  for (let y = 0; y < canvas.height; y++)
    for (let x = 0; x < canvas.width; x++)
      pixels[Math.floor(y / fine) * width + Math.floor(x / fine)] += drawn[4 * (y * canvas.width + x) + 3] / 255;
  const most = levels === 256 ? 255 : levels;
  return pixels.map((sum) => Math.round((sum / fine ** 2) * most) / levels);
}

/** Listen to pointers and arrow keys on the pad; `changed` is told after each move, and whether the pen was lifted. */
export function listenToPad(canvas: HTMLCanvasElement, strokes: Stroke[], changed: (lifted: boolean) => void): { cursor: [number, number] | null } {
  const shared: { cursor: [number, number] | null } = { cursor: null };
  let drawing = false, inked = false;
  const at = (event: PointerEvent): [number, number] => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    strokes.push([at(event)]);
    changed(false);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    for (const one of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) strokes[strokes.length - 1]?.push(at(one));
    changed(false);
  });
  for (const name of ["pointerup", "pointercancel"] as const) canvas.addEventListener(name, () => {
    if (drawing) changed(true);
    drawing = false;
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    shared.cursor ??= [0.5, 0.25];
    const lifted = inked && event.key === " ", here = shared.cursor;
    if (event.key === " ") {
      inked = !inked;
      if (inked) strokes.push([[here[0], here[1]]]);
    } else if (by) {
      shared.cursor = [Math.min(Math.max(here[0] + by[0] / 20, 0.04), 0.96), Math.min(Math.max(here[1] + by[1] / 20, 0.04), 0.96)];
      if (inked) strokes[strokes.length - 1]?.push([shared.cursor[0], shared.cursor[1]]);
    }
    changed(lifted);
  });
  canvas.addEventListener("blur", () => {
    const lifted = inked;
    shared.cursor = null;
    inked = false;
    if (lifted) changed(true);
  });
  return shared;
}
