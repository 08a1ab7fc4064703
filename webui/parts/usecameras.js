// The cameras' present state, for the screens that show them.

import { api, asProblem } from "../site/api.js";
import { useSignal } from "./html.js";
import { usePoll } from "./poll.js";

/** @import { Camera, List } from "../types.js" */

/** Milliseconds between two requests. */
export const LOOK = 5000;

/** cameras: null until the first answer; problem: in words, empty when there is none. */
export function useCameras() {
  const cameras = useSignal(/** @type {Camera[] | null} */ (null));
  const problem = useSignal("");
  usePoll(async (signal) => {
    try {
      /** @type {List<Camera>} */
      const { items } = await api.get("/cameras", { signal });
      cameras.value = items;
      problem.value = "";
    } catch (error) {
      if (signal.aborted) throw error;
      problem.value = asProblem(error).message;
    }
    return LOOK;
  }, []);
  return { cameras, problem };
}
