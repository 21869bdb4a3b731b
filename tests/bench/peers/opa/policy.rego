# What our own benchmark policies demand, as a user of OPA would write it: about a third of it, because the rest (the proof of
# who asks, sidecars, what an update did not change, ratios of quantities) has no short form. OPA answers `POST /` with this.
package system

import rego.v1

main := {
	"apiVersion": "admission.k8s.io/v1",
	"kind": "AdmissionReview",
	"response": response,
}

response := {"uid": input.request.uid, "allowed": true} if count(deny) == 0

response := {
	"uid": input.request.uid,
	"allowed": false,
	"status": {"code": 403, "message": concat("; ", sort(deny))},
} if {
	count(deny) > 0
}

writers := {
	"system:serviceaccount:flux-system:kustomize-controller",
	"system:serviceaccount:flux-system:helm-controller",
}

registries := ["shop/", "registry.example.com/"]

pod := input.request.object.spec.template.spec

containers contains container if some container in pod.containers

containers contains container if some container in object.get(pod, "initContainers", [])

deny contains "only Flux may write" if not input.request.userInfo.username in writers

deny contains sprintf("%s: %s needs a request of %s", [input.request.name, container.name, resource]) if {
	some container in containers
	some resource in ["cpu", "memory"]
	not container.resources.requests[resource]
}

deny contains sprintf("%s: %s needs a limit of %s", [input.request.name, container.name, resource]) if {
	some container in containers
	some resource in ["cpu", "memory"]
	not container.resources.limits[resource]
}

deny contains sprintf("%s: %s needs a %s", [input.request.name, container.name, probe]) if {
	some container in pod.containers
	some probe in ["readinessProbe", "livenessProbe"]
	not container[probe]
}

deny contains sprintf("%s: %s is from a registry that is not allowed", [input.request.name, container.name]) if {
	some container in containers
	not allowed_image(container.image)
}

allowed_image(image) if {
	some registry in registries
	startswith(image, registry)
}

deny contains sprintf("%s: %s must not be privileged", [input.request.name, container.name]) if {
	some container in containers
	container.securityContext.privileged
}

deny contains sprintf("%s: %s must not escalate privileges", [input.request.name, container.name]) if {
	some container in containers
	object.get(container, ["securityContext", "allowPrivilegeEscalation"], true)
}

deny contains sprintf("%s: %s must drop all capabilities", [input.request.name, container.name]) if {
	some container in containers
	not "ALL" in object.get(container, ["securityContext", "capabilities", "drop"], [])
}

deny contains sprintf("%s: %s must not run as root", [input.request.name, container.name]) if {
	some container in containers
	not object.get(container, ["securityContext", "runAsNonRoot"], object.get(pod, ["securityContext", "runAsNonRoot"], false))
}

deny contains sprintf("%s: %s must not run as user 0", [input.request.name, container.name]) if {
	some container in containers
	object.get(container, ["securityContext", "runAsUser"], object.get(pod, ["securityContext", "runAsUser"], 1)) == 0
}

deny contains sprintf("%s: no host namespaces", [input.request.name]) if {
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	pod[field]
}

deny contains sprintf("%s: no volume of the host", [input.request.name]) if {
	some volume in pod.volumes
	volume.hostPath
}
