import type HyperDHT from 'hyperdht'

/** Whether two lists name the same addresses in the same order. */
export function sameAddresses(
  one: readonly HyperDHT.Address[],
  other: readonly HyperDHT.Address[],
): boolean {
  return (
    one.length === other.length &&
    one.every(({ host, port }, i) => host === other[i]?.host && port === other[i]?.port)
  )
}
