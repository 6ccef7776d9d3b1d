import test from 'brittle'
import {
  decodeWitness,
  encodeWitness,
  MAX_WITNESSED_CORES,
  newWitness,
  slotBytesFor,
  slotOf,
  WITNESS_SLOT_BYTES,
  type WitnessState,
  witnessSlot,
} from '../../../../helpers/store/store-witness.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'

const KEY = 'ab'.repeat(32)

function stateAt(sequence: number, length = sequence): WitnessState {
  const accounts = { key: KEY, length, fork: 0, treeHash: 'cd'.repeat(32) }
  return { sequence, writtenAt: 1_700_000_000_000 + sequence, cores: { accounts } }
}

function slotWith(state: WitnessState): Buffer {
  return witnessSlot(WITNESS_SLOT_BYTES, encodeWitness(state))
}

/** A witness that these states were written to, one after the other. */
function written(first: WitnessState, ...later: WitnessState[]): Buffer {
  const bytes = newWitness(first)
  for (const state of later) bytes.set(slotWith(state), slotOf(state) * WITNESS_SLOT_BYTES)
  return bytes
}

test('should say what was written last when it is read', (t) => {
  t.alike(decodeWitness(newWitness(stateAt(1))), stateAt(1))
  t.alike(decodeWitness(written(stateAt(1), stateAt(2))), stateAt(2))
  t.alike(decodeWitness(written(stateAt(1), stateAt(2), stateAt(3))), stateAt(3))
  t.alike(decodeWitness(newWitness({ ...stateAt(7), cores: {} })), { ...stateAt(7), cores: {} })
})

test('should say what was written before when the last writing was torn', (t) => {
  const before = written(stateAt(8), stateAt(9))
  const next = slotWith(stateAt(10, 1000))
  const offset = slotOf({ sequence: 10 }) * WITNESS_SLOT_BYTES
  for (let length = 0; length <= next.byteLength; length += length < 512 ? 8 : 512) {
    const torn = Buffer.from(before)
    torn.set(next.subarray(0, length), offset)
    const sequence = decodeWitness(torn)?.sequence
    // The filling at the end says nothing.
    const isWhole = torn.subarray(offset, offset + WITNESS_SLOT_BYTES).equals(next)
    if (sequence !== (isWhole ? 10 : 9)) t.fail(`${sequence} after ${length} bytes`)
  }
  t.pass()
})

test('should never say more than was written when any bytes are changed', (t) => {
  const random = new SeededRandom(1)
  const whole = written(stateAt(4), stateAt(5))
  const known = new Set([JSON.stringify(stateAt(4)), JSON.stringify(stateAt(5))])
  for (let round = 0; round < 300; round += 1) {
    const bytes = Buffer.from(whole)
    const position = random.below(bytes.byteLength)
    bytes[position] = (bytes[position] ?? 0) ^ (1 << random.below(8))
    const state = decodeWitness(bytes)
    if (!known.has(JSON.stringify(state))) t.fail(`${JSON.stringify(state)} at ${position}`)
  }
  t.pass()
})

test('should say nothing when no state in it is whole', (t) => {
  const only = newWitness(stateAt(1))
  only[slotOf(stateAt(1)) * WITNESS_SLOT_BYTES + 200] = 0
  t.is(decodeWitness(only), null)
  t.is(decodeWitness(Buffer.alloc(0)), null)
  t.is(decodeWitness(Buffer.alloc(2 * WITNESS_SLOT_BYTES)), null)
  t.is(decodeWitness(newWitness(stateAt(1)).subarray(1)), null)
})

/** A state with that many cores, whose names and numbers are as long as they may be. */
function stateWith(count: number): WitnessState {
  const cores = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `c${index}`.padEnd(32, 'x'),
      { key: KEY, length: 2 ** 48, fork: 2 ** 48, treeHash: KEY, records: 2 ** 48 },
    ]),
  )
  return { ...stateAt(2 ** 48), cores }
}

test('should have slots that a few hundred cores fit into, each as large as it needs', (t) => {
  for (const count of [1, 12, 15, 16, 100, 900]) {
    const state = stateWith(count)
    const bytes = newWitness(state)
    t.alike(decodeWitness(bytes), state)
    const slotBytes = bytes.byteLength / 2
    t.is(slotBytes, slotBytesFor(encodeWitness(state)))
    t.is(slotBytes % WITNESS_SLOT_BYTES, 0)
    t.ok(slotBytes < count * 700 + 8192, `${slotBytes} bytes for ${count} cores`)
  }
  t.is(newWitness(stateAt(1)).byteLength, 2 * WITNESS_SLOT_BYTES)
})

test('should find the other state when a large slot is torn', (t) => {
  const state = stateWith(100)
  const bytes = newWitness({ ...state, sequence: 8 })
  const slotBytes = bytes.byteLength / 2
  bytes.set(witnessSlot(slotBytes, encodeWitness({ ...state, sequence: 9 })), slotBytes)
  t.is(decodeWitness(bytes)?.sequence, 9)
  bytes.fill(0, slotBytes + WITNESS_SLOT_BYTES, slotBytes + 2 * WITNESS_SLOT_BYTES)
  t.is(decodeWitness(bytes)?.sequence, 8)
})

test('should take as many cores as it may have, and refuse more', (t) => {
  t.is(newWitness(stateWith(MAX_WITNESSED_CORES)).byteLength, 4 * 1024 * 1024)
  t.exception.all(() => encodeWitness(stateWith(MAX_WITNESSED_CORES + 1)), /At most 4096 cores/)
})
