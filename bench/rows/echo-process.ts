import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type HyperDHT from 'hyperdht'
import { echoService, openRawServer } from './echo.js'
import { openDhtNode, openGateway } from './node-pair.js'

/** Where the servers of an {@link EchoProcess} can be dialled. */
interface Servers {
  /** Public keys, hexadecimal. */
  readonly gateway: string
  readonly raw: string
  readonly addresses: readonly HyperDHT.Address[]
}

/** A process that answers `echo`, with Starling and with @hyperswarm/rpc only. */
export class EchoProcess {
  readonly #child: ChildProcess
  readonly #servers: Servers

  private constructor(child: ChildProcess, servers: Servers) {
    this.#child = child
    this.#servers = servers
  }

  /**
   * @param port of the bootstrap node of its DHT
   * @param meshSeed what the keys of the mesh are derived from; 32 bytes
   */
  static async start(port: number, meshSeed: Uint8Array): Promise<EchoProcess> {
    const seed = Buffer.from(meshSeed).toString('hex')
    const child = fork(import.meta.filename, [String(port), seed])
    const [servers] = (await once(child, 'message')) as [Servers]
    return new EchoProcess(child, servers)
  }

  get processId(): number {
    return this.#child.pid ?? 0
  }

  get gatewayKey(): Uint8Array {
    return Buffer.from(this.#servers.gateway, 'hex')
  }

  get rawKey(): Uint8Array {
    return Buffer.from(this.#servers.raw, 'hex')
  }

  /** The addresses of the gateway. */
  get addresses(): readonly HyperDHT.Address[] {
    return this.#servers.addresses
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  const [, , port = '', seed = ''] = process.argv
  process.on('disconnect', () => process.exit(0))
  const gateway = await openGateway(
    openDhtNode(Number(port)),
    Buffer.from(seed, 'hex'),
    echoService(),
  )
  const raw = await openRawServer(openDhtNode(Number(port)))
  const servers: Servers = {
    gateway: Buffer.from(gateway.publicKey).toString('hex'),
    raw: Buffer.from(raw.publicKey).toString('hex'),
    addresses: gateway.addresses,
  }
  process.send(servers)
}
