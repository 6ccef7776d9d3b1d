/** From one code point to another, both included. */
export type CharacterRange = readonly [first: number, last: number]

const LAST_CODE_POINT = 0x10ffff

/** A set of characters, of which a grammar takes one. */
export class CharacterSet {
  /** Sorted, without overlap. */
  readonly ranges: readonly CharacterRange[]

  private constructor(ranges: readonly CharacterRange[]) {
    this.ranges = ranges
  }

  /** @param members characters, and ranges of two characters */
  static of(...members: readonly (string | readonly [string, string])[]): CharacterSet {
    const ranges = members.map((member): CharacterRange => {
      const [first, last = first] = typeof member === 'string' ? [member] : member
      return [codePointOf(first), codePointOf(last)]
    })
    return CharacterSet.#sorted(ranges)
  }

  /** All characters but those of this set. */
  complement(): CharacterSet {
    const ranges: CharacterRange[] = []
    let next = 0
    for (const [first, last] of this.ranges) {
      if (first > next) ranges.push([next, first - 1])
      next = last + 1
    }
    if (next <= LAST_CODE_POINT) ranges.push([next, LAST_CODE_POINT])
    return new CharacterSet(ranges)
  }

  union(other: CharacterSet): CharacterSet {
    if (this.isEmpty) return other
    if (other.ranges.every((range) => this.#holds(range))) return this
    return CharacterSet.#sorted([...this.ranges, ...other.ranges])
  }

  intersection(other: CharacterSet): CharacterSet {
    const ranges: CharacterRange[] = []
    for (const [first, last] of this.ranges) {
      for (const [otherFirst, otherLast] of other.ranges) {
        const from = Math.max(first, otherFirst)
        const to = Math.min(last, otherLast)
        if (from <= to) ranges.push([from, to])
      }
    }
    return new CharacterSet(ranges)
  }

  minus(other: CharacterSet): CharacterSet {
    return this.intersection(other.complement())
  }

  overlaps(other: CharacterSet): boolean {
    return this.ranges.some(([first, last]) =>
      other.ranges.some(([otherFirst, otherLast]) => first <= otherLast && otherFirst <= last),
    )
  }

  get isEmpty(): boolean {
    return this.ranges.length === 0
  }

  /** The same for equal sets. */
  get key(): string {
    return this.ranges.join(' ')
  }

  #holds([first, last]: CharacterRange): boolean {
    return this.ranges.some(([from, to]) => from <= first && last <= to)
  }

  static #sorted(ranges: readonly CharacterRange[]): CharacterSet {
    const merged: [number, number][] = []
    for (const [first, last] of [...ranges].sort(([one], [other]) => one - other)) {
      const before = merged.at(-1)
      if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last)
      else merged.push([first, last])
    }
    return new CharacterSet(merged)
  }
}

function codePointOf(character: string): number {
  return character.codePointAt(0) ?? 0
}
