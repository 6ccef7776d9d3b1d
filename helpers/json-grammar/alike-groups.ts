import type { Beginnings } from './beginnings.js'
import type { CharacterSet } from './character-set.js'
import type { GrammarSymbol, Sequence, SequenceNode } from './grammar-symbols.js'

/** Sequences that begin with the same symbol: that symbol, and what may follow it. */
export interface Group {
  readonly head: GrammarSymbol
  readonly tails: Set<Sequence>
  readonly nodes: SequenceNode[]
}

/** Groups that may begin alike, and the characters that they can begin with. */
interface Alike {
  readonly first: CharacterSet
  readonly groups: readonly Group[]
}

/** Sequences by the symbol that they begin with; the empty one is left out. */
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

/** The same for groups that go on alike. */
export function tailsKey(group: Group | undefined): string {
  return [...(group?.tails ?? [])]
    .map((tail) => tail?.id ?? -1)
    .sort((one, other) => one - other)
    .join()
}

/**
 * Puts groups together that may begin alike, directly or because of a third one. Fixed texts may when
 * one is the beginning of another; anything else may when it can have the same first character.
 */
export function alikeGroups(groups: readonly Group[], beginnings: Beginnings): readonly Group[][] {
  const texts: { readonly text: string; readonly group: Group }[] = []
  const others: Group[] = []
  for (const group of groups) {
    const text = beginnings.textOf(group.head)
    if (text === null) others.push(group)
    else texts.push({ text, group })
  }
  let alike: Alike[] = textsAlike(texts, beginnings)
  for (const group of others) {
    let first = beginnings.firstOf(group.head)
    if (beginnings.mayBeEmpty(group.head)) {
      for (const tail of group.tails) first = first.union(beginnings.first(tail))
    }
    const same = alike.filter((one) => one.first.overlaps(first))
    const together = {
      first: same.reduce((all, one) => all.union(one.first), first),
      groups: [...same.flatMap((one) => one.groups), group],
    }
    alike = [...alike.filter((one) => !same.includes(one)), together]
  }
  return alike.map((one) => [...one.groups])
}

function textsAlike(
  texts: readonly { readonly text: string; readonly group: Group }[],
  beginnings: Beginnings,
): Alike[] {
  const alike: Alike[] = []
  let shortest: string | null = null
  // The texts that begin with another one come right behind it.
  for (const { text, group } of [...texts].sort((one, other) => (one.text < other.text ? -1 : 1))) {
    const before = alike.at(-1)
    if (shortest !== null && before !== undefined && text.startsWith(shortest)) {
      alike[alike.length - 1] = { ...before, groups: [...before.groups, group] }
    } else {
      shortest = text
      alike.push({ first: beginnings.firstOf(group.head), groups: [group] })
    }
  }
  return alike
}
