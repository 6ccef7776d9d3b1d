#!/usr/bin/env node
import { configOf } from '../config/flags.js'
import { createWorkerCommand, runCommand, VERSION } from '../facilities/cli/command-line.js'
import { MeshNetwork } from '../facilities/network/mesh-network.js'
import { runWorker } from '../facilities/worker/run-worker.js'
import { openWorkerHost } from '../facilities/worker/worker-host.js'
import { WorkerWatch } from '../facilities/worker/worker-watch.js'
import { openAccountStore } from './auth/account-store.js'
import { Accounts } from './auth/accounts.js'
import { AuthWorker } from './auth/auth-worker.js'
import { PasswordHasher } from './auth/passwords.js'
import { RosterWriter } from './auth/roster-writer.js'

const auth = createWorkerCommand('auth', 'Keeps the accounts and opens sessions.')
auth.action(() => {
  const config = configOf(auth)
  return runWorker('auth', config, async (resources) => {
    const host = await openWorkerHost(resources, { ...config, role: 'auth', single: true })
    const { records, sessionKeys } = await openAccountStore(resources, host)
    const passwords = new PasswordHasher(config.auth)
    const network = new MeshNetwork({ ...host, settings: config.network })
    const roster = new RosterWriter({ ...host, records, keeper: network.roster })
    const worker = new AuthWorker({
      accounts: new Accounts({ ...host, records, passwords }),
      sessionKeys,
      roster,
      clock: host.clock,
      mesh: host.identity.mesh,
      sessionLifetimeMs: config.auth.sessionLifetimeMs,
    })
    worker.service(network.service)
    await resources.open(new WorkerWatch({ ...config, ...host, network, worker, version: VERSION }))
    await resources.open(network)
    await resources.open(roster)
    host.log.info({ version: VERSION }, 'ready')
  })
})
await runCommand(auth)
