// A page of faces alone, shown at once, for there is nothing else; of one model, its confusion matrix too.

if (byId("confusion")) replace(byId("confusion"), compareConfusions([runGroup(0)]));
buildFaces().then(() => document.body.classList.add("ready"));
