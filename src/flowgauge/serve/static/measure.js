// Measuring an answer: a job with progress that can be cancelled, and then the saved run.

async function startMeasuring() {
  const { job } = await ask("/api/measure", { method: "POST", body: { ...given(), response: byId("answer").value } });
  return openMeasuring({ job });
}

function openMeasuring({ job, run = null }) {
  const words = el("p", { class: "live-words" }, "Measuring …");
  const bar = el("progress", { "aria-label": "Progress of the measurement" });
  const cancel = el("button", { type: "button", class: "button stop-button" }, "Cancel");
  const node = el("div", { class: "measuring" },
    el("section", { class: "card live-head", "aria-label": "State of the measurement" },
      el("div", { class: "live-line" }, words, cancel), bar));
  const view = { node, job, run, over: false };
  const began = performance.now();
  let said = "Measuring …";
  const say = () => { words.textContent = `${said} ${fixed((performance.now() - began) / 1000, 0)} s`; };
  const clock = setInterval(say, 1000);
  const end = (last, kind = "failed") => {
    view.over = true;
    clearInterval(clock);
    bar.hidden = true;
    cancel.hidden = true;
    words.textContent = last;
    words.className = `live-words ${kind}`;
    speak(last);
  };
  const show = async (name) => {
    end("Measured.", "over");
    view.run = name;
    noteJob("measure", view);
    node.firstChild.remove();
    await showRun(node, name);
  };
  view.close = followJob(job, {
    progress(progress) {
      if (progress.total > 0) Object.assign(bar, { max: progress.total, value: progress.done });
    },
    done: (done) => show(done.run),
    cancelled: () => end("Cancelled. Nothing was saved."),
    failed: (error) => end(`It failed: ${error.message}`),
    lost: () => { said = JOB_LOST; say(); },
    back: () => { said = "Measuring …"; say(); },
    gone: () => (view.run ? show(view.run) : end(JOB_GONE)),
  });
  cancel.addEventListener("click", () => {
    cancel.disabled = true;
    cancelJob(job).catch((error) => { cancel.disabled = false; words.textContent = error.message; });
  });
  return view;
}
