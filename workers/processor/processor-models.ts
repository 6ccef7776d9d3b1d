import type { Log } from '../../facilities/log/log.js'
import { type ChoiceSettings, type ChosenEngines, chooseEngines } from './default-engines.js'
import { createEngines, type EngineHost } from './engine-kinds.js'
import type { EngineOffer } from './pooled-model.js'
import { noticesOf, reportServers } from './processor-report.js'
import { ServerWatch } from './server-watch.js'

/** The models of a processor at its start. */
export interface ProcessorModels<Settings> {
  /** The configuration, completed by {@link chooseEngines}. */
  readonly settings: Settings & ChosenEngines
  readonly offers: readonly EngineOffer[]
  /** Opened when the processor is visible in the mesh. */
  readonly servers: ServerWatch
}

/**
 * Finds the models of a processor, and notifies users about them.
 *
 * @param host.environment for the variable `OLLAMA_HOST`
 * @throws StarlingError as {@link createEngines}
 */
export async function findModels<Settings extends ChoiceSettings>(
  configured: Settings,
  host: EngineHost & { readonly log: Log; readonly environment: NodeJS.ProcessEnv },
): Promise<ProcessorModels<Settings>> {
  const { clock, log, environment } = host
  const notify = noticesOf(log)
  const choice = { clock, ollamaHost: environment.OLLAMA_HOST, onNotice: notify }
  const settings = await chooseEngines(configured, choice)
  const { offers, servers: all } = await createEngines(settings, host)
  const servers = new ServerWatch({ servers: all, clock })
  reportServers(servers, notify)
  return { settings, offers, servers }
}
