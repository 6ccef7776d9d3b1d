import type { Beginnings } from './beginnings.js'
import type { CharacterSet } from './character-set.js'
import type { GrammarSymbol, Sequence, SequenceNode } from './grammar-symbols.js'

/** Sequences with the same first symbol. */
export interface Group {
  readonly head: GrammarSymbol
  readonly tails: Set<Sequence>
  readonly nodes: SequenceNode[]
}

/** Groups that can start with the same text. */
interface GroupSet {
  readonly first: CharacterSet
  readonly groups: readonly Group[]
}

/** Groups sequences by their first symbol. The empty sequence is left out. */
export function groupsOf(sequences: Iterable<Sequence>): Group[] {
  const groups = new Map<GrammarSymbol, Group>()
  for (const node of sequences) {
    if (node === null) continue
    const group = groups.get(node.head) ?? { head: node.head, tails: new Set(), nodes: [] }
    group.tails.add(node.tail)
    group.nodes.push(node)
    groups.set(node.head, group)
  }
  return [...groups.values()]
}

/** A key that is equal for groups with equal tails. */
export function tailsKey(group: Group | undefined): string {
  return [...(group?.tails ?? [])]
    .map((tail) => tail?.id ?? -1)
    .sort((one, other) => one - other)
    .join()
}

/**
 * Finds the connected sets of groups that can start with the same text. Two literals can if one is a
 * prefix of the other; anything else if the sets of possible first characters overlap.
 */
export function overlappingGroups(
  groups: readonly Group[],
  beginnings: Beginnings,
): readonly Group[][] {
  const texts: { readonly text: string; readonly group: Group }[] = []
  const others: Group[] = []
  for (const group of groups) {
    const text = beginnings.textOf(group.head)
    if (text === null) others.push(group)
    else texts.push({ text, group })
  }
  let sets: GroupSet[] = setsOfTexts(texts, beginnings)
  for (const group of others) {
    let first = beginnings.firstOf(group.head)
    if (beginnings.mayBeEmpty(group.head)) {
      for (const tail of group.tails) first = first.union(beginnings.first(tail))
    }
    const same = sets.filter((one) => one.first.overlaps(first))
    const together = {
      first: same.reduce((all, one) => all.union(one.first), first),
      groups: [...same.flatMap((one) => one.groups), group],
    }
    sets = [...sets.filter((one) => !same.includes(one)), together]
  }
  return sets.map((one) => [...one.groups])
}

function setsOfTexts(
  texts: readonly { readonly text: string; readonly group: Group }[],
  beginnings: Beginnings,
): GroupSet[] {
  const sets: GroupSet[] = []
  let shortest: string | null = null
  // In sorted order, texts with a common prefix directly follow that prefix.
  for (const { text, group } of [...texts].sort((one, other) => (one.text < other.text ? -1 : 1))) {
    const before = sets.at(-1)
    if (shortest !== null && before !== undefined && text.startsWith(shortest)) {
      sets[sets.length - 1] = { ...before, groups: [...before.groups, group] }
    } else {
      shortest = text
      sets.push({ first: beginnings.firstOf(group.head), groups: [group] })
    }
  }
  return sets
}
