import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import HyperDHT from 'hyperdht'
import { topicOf } from '../../../facilities/network/discovery/announcement.js'
import { type KeyPair, keyPairFromSeed } from '../../../helpers/identity/key-pair.js'
import type { Target } from '../attacker-messages.js'
import { meshKeysOf } from '../member.js'

const HOST = '127.0.0.1'

/** The gateway, as anybody who knows its topic can find it. */
export interface Gateway {
  readonly publicKey: Uint8Array
  readonly addresses: readonly HyperDHT.Address[]
}

/** Opens a DHT node of the attackers, with a UDP port of its own. */
export function openDht({ bootstrapPort }: Pick<Target, 'bootstrapPort'>): HyperDHT {
  const bootstrap = [{ host: HOST, port: bootstrapPort }]
  return new HyperDHT({ bootstrap, host: HOST, firewalled: false })
}

export function newKeyPair(): KeyPair {
  return keyPairFromSeed(randomBytes(32))
}

/** The topic of the gateways of the mesh. */
export async function gatewayTopic(target: Target): Promise<Uint8Array> {
  return topicOf((await meshKeysOf(target)).secret, 'gateway')
}

/** Looks up the gateway. @throws Error if it is not announced */
export async function findGateway(dht: HyperDHT, target: Target): Promise<Gateway> {
  const seed = await readFile(join(target.home, 'gateway', 'identity.key'), 'utf8')
  const { publicKey } = keyPairFromSeed(Buffer.from(seed.trim(), 'hex'))
  for await (const { peers } of dht.lookup(await gatewayTopic(target))) {
    const found = peers.find((peer) => Buffer.compare(peer.publicKey, publicKey) === 0)
    if (found !== undefined) return { publicKey, addresses: found.relayAddresses }
  }
  throw new Error('The gateway is not announced')
}

/** Connects to the gateway. After a failure, the stream is closed. */
export function connect(
  dht: HyperDHT,
  gateway: Gateway,
  keyPair: KeyPair = newKeyPair(),
): HyperDHT.SecretStream {
  const stream = dht.connect(gateway.publicKey, {
    keyPair,
    relayAddresses: [...gateway.addresses],
  })
  stream.on('error', () => undefined)
  return stream
}

/** Strangers on `ports` UDP ports. @returns a function that connects from the port `index % ports` with a new key */
export async function strangersOn(
  ports: number,
  target: Target,
): Promise<(index: number) => HyperDHT.SecretStream> {
  const first = openDht(target)
  const nodes = [first, ...Array.from({ length: ports - 1 }, () => openDht(target))]
  const gateway = await findGateway(first, target)
  return (index) => connect(nodes[index % ports] ?? first, gateway)
}

/** Resolves when the stream is closed, or `signal` is aborted. */
export function ended(stream: HyperDHT.SecretStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || signal.aborted) return resolve()
    const settle = () => {
      stream.off('close', settle)
      signal.removeEventListener('abort', settle)
      resolve()
    }
    stream.once('close', settle)
    signal.addEventListener('abort', settle)
  })
}
