import { filterCoreDumps } from '../../../process/protect-process.js'
import { LlamaChildSession } from './llama-child-session.js'

// The process in which llama.cpp runs. LlamaEngine starts it and speaks to it over IPC.

// Some model files make llama.cpp abort, and a core file would contain the prompts of users.
filterCoreDumps()
new LlamaChildSession(process).listen()
