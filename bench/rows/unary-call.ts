import { randomBytes } from 'node:crypto'
import type { Comparison } from '../measure.js'
import { processorTimePerUnit, REPORTS_PROCESSOR_TIME } from '../processor-time.js'
import { echo, echoService, openRawClient, openRawServer } from './echo.js'
import { EchoProcess } from './echo-process.js'
import { ORIGIN, openClient, openDhtPair, openNodePair } from './node-pair.js'

const CALLS = 4000
/** Calls in progress at the same time, in the rows with many. */
const MANY = 64
const MICROSECONDS_IN_MILLISECOND = 1000
/**
 * 0.5 to 1.5 KB, 1 KB on average. A single size would be misleading: the transport paces packets with a timer of
 * 1 ms, and whether a call has to wait for it depends on its exact size.
 */
const TEXTS = Array.from({ length: 64 }, (_, index) => 'x'.repeat(512 + index * 16))

/** Sends a text and receives it again. */
type Call = (text: string) => Promise<unknown>

/** A group of rows, and what they are measured on. */
interface Rows {
  readonly rows: Comparison[]
  close(): Promise<void>
}

/** A unary call with 1 KB in both directions, compared with the same over @hyperswarm/rpc only. */
export async function unaryCallRows(): Promise<Rows> {
  const groups = [await rateRows()]
  if (REPORTS_PROCESSOR_TIME) groups.push(await processorTimeRows())
  return {
    rows: groups.flatMap(({ rows }) => rows),
    async close() {
      for (const group of groups) await group.close()
    },
  }
}

/** Both ends of a call in one process. */
async function rateRows(): Promise<Rows> {
  const pair = await openNodePair(echoService())
  const dht = await openDhtPair()
  const server = await openRawServer(dht.one)
  const raw = openRawClient(dht.other, server.publicKey)
  const row = (atOnce: number): Comparison => ({
    what: `unary call, 1 KB, ${atOnce} at once`,
    against: 'raw @hyperswarm/rpc',
    unit: 'calls/s',
    goal: 'at least 0.85',
    compare: 'ratio',
    baseline: () => rateOf(atOnce, raw.call),
    starling: () =>
      rateOf(atOnce, (text) => pair.connection.call(echo, { text }, { origin: ORIGIN })),
  })
  return {
    rows: [row(1), row(MANY)],
    async close() {
      await raw.close()
      await server.close()
      await dht.close()
      await pair.close()
    },
  }
}

/** The caller in this process, the answerer in another. */
async function processorTimeRows(): Promise<Rows> {
  const dht = await openDhtPair()
  const meshSeed = randomBytes(32)
  const answerer = await EchoProcess.start(dht.port, meshSeed)
  const raw = openRawClient(dht.one, answerer.rawKey)
  const client = await openClient(dht.other, meshSeed)
  const connection = await client.dial(answerer.gatewayKey, answerer.addresses)
  const row = (end: string, processId: number): Comparison => {
    const timeOf = async (call: Call) => {
      const workMs = await processorTimePerUnit(processId, async () => {
        await callAll(MANY, call)
        return CALLS
      })
      return workMs * MICROSECONDS_IN_MILLISECOND
    }
    return {
      what: `processor time per unary call, ${MANY} at once, ${end}`,
      against: 'raw @hyperswarm/rpc',
      unit: 'µs',
      goal: '',
      compare: 'ratio',
      baseline: () => timeOf(raw.call),
      starling: () => timeOf((text) => connection.call(echo, { text }, { origin: ORIGIN })),
    }
  }
  return {
    rows: [row('caller', process.pid), row('answerer', answerer.processId)],
    async close() {
      await raw.close()
      await client.close()
      await answerer.close()
      await dht.close()
    },
  }
}

/** Calls per second. */
async function rateOf(atOnce: number, call: Call): Promise<number> {
  const startedAt = performance.now()
  await callAll(atOnce, call)
  return (CALLS / (performance.now() - startedAt)) * 1000
}

/** Makes all calls, with `atOnce` calls in progress at all times. */
async function callAll(atOnce: number, call: Call): Promise<void> {
  let left = CALLS
  const worker = async () => {
    while (left > 0) {
      left -= 1
      await call(TEXTS[left % TEXTS.length] ?? '')
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
