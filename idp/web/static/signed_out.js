// On to where the product wants the browser, once every frame has loaded, or after five seconds.
const onward = document.getElementById("onward").href;
const go = () => location.replace(onward);
addEventListener("load", go);
setTimeout(go, 5000);
