/** The longest text that all begin with; whole characters. */
export function commonPrefix(texts: readonly string[]): string {
  const [first = '', ...others] = texts
  let length = 0
  for (const character of first) {
    if (!others.every((text) => text.startsWith(character, length))) break
    length += character.length
  }
  return first.slice(0, length)
}
