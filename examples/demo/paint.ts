/** Colours for those who want them: on a terminal, unless NO_COLOR says otherwise (https://no-color.org). */

type Paint = (text: string) => string;

export interface Palette {
  readonly isColoured: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  /** The colour of the broker with this index, as text. */
  broker(index: number): Paint;
  /** The same as a block: background and readable foreground. */
  block(index: number): Paint;
}

const BROKER_COLOURS = [6, 3, 5, 2, 4];

export function palette(isTerminal: boolean, { NO_COLOR, TERM } = process.env): Palette {
  const isColoured = isTerminal && !NO_COLOR && TERM !== 'dumb';
  const paint = (codes: string, off: string): Paint => {
    return isColoured ? (text) => `\u001b[${codes}m${text}\u001b[${off}m` : (text) => text;
  };
  const colour = (index: number) => BROKER_COLOURS[index % BROKER_COLOURS.length] as number;
  return {
    isColoured,
    bold: paint('1', '22'),
    dim: paint('2', '22'),
    red: paint('31', '39'),
    green: paint('32', '39'),
    broker: (index) => paint(`${30 + colour(index)}`, '39'),
    block: (index) => paint(`30;${40 + colour(index)}`, '39;49'),
  };
}
