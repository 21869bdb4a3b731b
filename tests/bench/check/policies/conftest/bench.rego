# The same demands as policies/fluxgate. Messages begin with the object, so that the bench can compare who is refused.
package main

workloads := {"Deployment", "StatefulSet", "DaemonSet"}

pod := input.spec.template.spec if input.kind in workloads
pod := input.spec.jobTemplate.spec.template.spec if input.kind == "CronJob"

containers contains container if some container in pod.containers
containers contains container if some container in pod.initContainers

refuse(container, what) := sprintf("%s %s: container %s: %s", [input.kind, input.metadata.name, container.name, what])

stated(container, amount) if container.resources.requests[amount]
stated(container, amount) if container.resources.limits[amount]

deny contains refuse(container, sprintf("no %s request", [amount])) if {
	some container in containers
	some amount in ["cpu", "memory"]
	not stated(container, amount)
}

deny contains refuse(container, "no memory limit") if {
	some container in containers
	not container.resources.limits.memory
}

deny contains refuse(container, sprintf("no %s", [probe])) if {
	input.kind in workloads
	some container in pod.containers
	some probe in ["readinessProbe", "livenessProbe"]
	not container[probe]
}

non_root(container) if container.securityContext.runAsNonRoot == true

non_root(container) if {
	not "runAsNonRoot" in object.keys(object.get(container, "securityContext", {}))
	pod.securityContext.runAsNonRoot == true
}

deny contains refuse(container, "may run as root") if {
	some container in containers
	not non_root(container)
}

deny contains refuse(container, "image of another registry") if {
	some container in containers
	not startswith(container.image, "registry.example.com/")
}

tagged(image) if {
	parts := split(image, "/")
	contains(parts[count(parts) - 1], ":")
}

deny contains refuse(container, "no tag") if {
	some container in containers
	not tagged(container.image)
}

deny contains refuse(container, "tag latest") if {
	some container in containers
	endswith(container.image, ":latest")
}
