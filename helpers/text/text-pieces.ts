/**
 * A text cut into pieces of at most `maxCharacters` UTF-16 code units, none within a surrogate pair.
 * An empty text has no pieces.
 */
export function textPieces(text: string, maxCharacters: number): string[] {
  const pieces: string[] = []
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + maxCharacters, text.length)
    if (end < text.length && isLowSurrogate(text.charCodeAt(end)) && end - start > 1) end -= 1
    pieces.push(text.slice(start, end))
    start = end
  }
  return pieces
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}
