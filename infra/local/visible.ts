/**
 * Text for a terminal, with a mark for each character that would move its cursor, colour it, rename its window or turn its
 * writing round: runs, events and refusals are named and worded by others. Line ends and tabs stay.
 */
export const visible = (text: string): string =>
  text.replaceAll(/\p{Cc}|\p{Bidi_Control}/gu, (sign) => (sign === '\n' || sign === '\t' ? sign : '\uFFFD'));
