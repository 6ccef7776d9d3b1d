/** The length of the longest proper prefix of `wanted` that a text ends with. */
export function textBeginningAtEnd(text: string, wanted: string): number {
  for (let length = Math.min(wanted.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(wanted.slice(0, length))) return length
  }
  return 0
}
