package main

import (
	"fmt"
	"math/rand/v2"
)

// A generator makes workloads that Kubernetes can decode, many of them worse than anybody would write. Each pod is clean but
// for some `areas`, and those are good or bad by chance: so every check both passes and fails often, alone and with others.
type generator struct {
	random *rand.Rand
	wild   float64 // how likely an area of this pod is left to chance
	hit    map[string]bool
}

type fields = map[string]any

func newGenerator(seed, stream uint64) *generator {
	return &generator{random: rand.New(rand.NewPCG(seed, stream))}
}

func (g *generator) chance(p float64) bool { return g.random.Float64() < p }

func one[T any](g *generator, of ...T) T { return of[g.random.IntN(len(of))] }

// area tells whether this part of the pod is left to chance; the same answer for the whole pod.
func (g *generator) area(name string) bool {
	wild, known := g.hit[name]
	if !known {
		wild = g.chance(g.wild)
		g.hit[name] = wild
	}
	return wild
}

// put sets the field, mostly: it may also be absent, or null.
func (g *generator) put(into fields, key string, value any) {
	switch {
	case g.chance(0.08):
	case g.chance(0.06):
		into[key] = nil
	default:
		into[key] = value
	}
}

func (g *generator) subject() subject {
	g.wild = one(g, 0, 0.1, 0.5, 0.8, 1, 1)
	g.hit = map[string]bool{}
	pod := g.pod()
	s := subject{kind: "Pod", object: pod}
	pod["kind"], pod["apiVersion"] = "Pod", "v1"
	if g.chance(0.05) {
		s.subresource = "ephemeralcontainers"
	}
	if g.chance(0.6) {
		return s
	}
	delete(pod, "kind")
	delete(pod, "apiVersion")
	s.subresource = ""
	s.kind = one(g, "PodTemplate", "ReplicationController", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob")
	// Annotations of the workload itself mean nothing to the pod.
	meta := fields{"name": "web", "annotations": fields{appArmorPrefix + "c0": "unconfined", seccompPod: "unconfined"}}
	switch s.kind {
	case "PodTemplate":
		s.object = fields{"metadata": meta, "template": pod}
	case "CronJob":
		s.object = fields{"metadata": meta, "spec": fields{"schedule": "* * * * *", "jobTemplate": fields{"spec": fields{"template": pod}}}}
	default:
		s.object = fields{"metadata": meta, "spec": fields{"template": pod}}
	}
	if s.kind == "ReplicationController" && g.chance(0.05) {
		s.object["spec"] = fields{"template": nil}
	}
	return s
}

func (g *generator) pod() fields {
	spec := fields{}
	names := []string{}
	for _, list := range []struct {
		key, prefix string
		least, most int
	}{{"initContainers", "i", 0, 2}, {"containers", "c", 1, 3}, {"ephemeralContainers", "e", 0, 1}} {
		count := list.least + g.random.IntN(list.most-list.least+1)
		if g.area("lists") && g.chance(0.2) {
			count = 0
		}
		containers := []any{}
		for i := range count {
			name := fmt.Sprint(list.prefix, i)
			names = append(names, name)
			containers = append(containers, g.container(name, list.key == "initContainers"))
		}
		if count > 0 || g.chance(0.3) {
			spec[list.key] = containers
		} else if g.chance(0.3) {
			spec[list.key] = nil
		}
	}
	g.podContext(spec)
	if g.area("hostNamespaces") {
		for _, key := range []string{"hostNetwork", "hostPID", "hostIPC"} {
			if g.chance(0.5) {
				g.put(spec, key, g.chance(0.5))
			}
		}
	}
	if g.chance(0.05) {
		spec[one(g, "HostNetwork", "hostnetwork", "hostPid")] = true // unknown fields: names are case-sensitive
	}
	if g.chance(0.5) || g.area("volumes") {
		g.put(spec, "volumes", g.volumes())
	}
	if g.chance(0.25) {
		g.put(spec, "os", one[any](g, fields{"name": "windows"}, fields{"name": "windows"}, fields{"name": "linux"}, fields{"name": "Windows"}, fields{"name": ""}, fields{}, fields{"name": nil}))
	}
	if g.chance(0.25) {
		g.put(spec, "hostUsers", g.chance(0.4))
	}
	pod := fields{"spec": spec}
	meta := fields{"name": "web", "labels": fields{"app": "web"}}
	if g.area("appArmorAnnotations") || g.area("seccompAnnotations") || g.chance(0.2) {
		g.put(meta, "annotations", g.annotations(names))
	}
	if !g.chance(0.03) {
		pod["metadata"] = meta
	} else if g.chance(0.5) {
		pod["metadata"] = nil
	}
	return pod
}

// --- annotations ------------------------------------------------------------------------------------------------------

const (
	appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/"
	seccompPod     = "seccomp.security.alpha.kubernetes.io/pod"
	seccompPrefix  = "container.seccomp.security.alpha.kubernetes.io/"
)

func (g *generator) annotations(containers []string) fields {
	all := fields{"team.example.com/owner": "shop"}
	targets := append([]string{"ghost", ""}, containers...)
	good := []any{"runtime/default", "localhost/x", "localhost/"}
	bad := []any{"unconfined", "localhost", "Runtime/default", "runtime/default ", "docker/default", "", nil}
	value := func() any {
		if g.chance(0.4) {
			return one(g, good...)
		}
		return one(g, bad...)
	}
	if g.area("appArmorAnnotations") {
		for range 1 + g.random.IntN(2) {
			all[one(g, appArmorPrefix, appArmorPrefix, "x"+appArmorPrefix)+one(g, targets...)] = value()
		}
	}
	if g.area("seccompAnnotations") {
		if g.chance(0.5) {
			all[one(g, seccompPod, seccompPod, seccompPod+"s")] = value()
		}
		for range 1 + g.random.IntN(3) {
			all[seccompPrefix+one(g, targets...)] = value()
		}
	}
	return all
}

// --- securityContext --------------------------------------------------------------------------------------------------

func (g *generator) profile() any {
	return one[any](g, fields{"type": "RuntimeDefault"}, fields{"type": "Localhost", "localhostProfile": "x"},
		fields{"type": "Localhost"}, fields{"type": "Unconfined"}, fields{"type": ""}, fields{}, fields{"type": nil}, nil, fields{"type": "runtimeDefault"})
}

func (g *generator) seLinux() any {
	options := fields{}
	if g.chance(0.7) {
		options["type"] = one[any](g, "container_t", "container_init_t", "container_kvm_t", "container_engine_t", "container_engine_t", "spc_t", "", nil)
	}
	for _, key := range []string{"user", "role", "level"} {
		if g.chance(0.15) {
			options[key] = one[any](g, "", "sysadm", nil)
		}
	}
	return one[any](g, options, options, options, nil, fields{})
}

func (g *generator) windowsOptions() any {
	return one[any](g, fields{"hostProcess": true}, fields{"hostProcess": true}, fields{"hostProcess": false}, fields{"hostProcess": nil}, fields{}, nil, fields{"runAsUserName": "x"})
}

// The fields that pods and containers share.
func (g *generator) shared(context fields) {
	if g.area("seLinuxOptions") && g.chance(0.8) {
		context["seLinuxOptions"] = g.seLinux()
	}
	if g.area("windowsHostProcess") && g.chance(0.6) {
		context["windowsOptions"] = g.windowsOptions()
	}
	if g.area("appArmorProfile") && g.chance(0.5) {
		context["appArmorProfile"] = g.profile()
	}
	if g.area("runAsUser") && g.chance(0.6) {
		context["runAsUser"] = one[any](g, 0, 0, 1, 1000, -1, nil)
	}
}

func (g *generator) podContext(spec fields) {
	context := fields{}
	g.shared(context)
	if g.area("runAsNonRoot") {
		if g.chance(0.7) {
			context["runAsNonRoot"] = one[any](g, true, true, true, false, nil)
		}
	} else {
		context["runAsNonRoot"] = true
	}
	if g.area("seccomp") {
		if g.chance(0.7) {
			context["seccompProfile"] = g.profile()
		}
	} else {
		context["seccompProfile"] = fields{"type": "RuntimeDefault"}
	}
	if g.area("sysctls") {
		context["sysctls"] = g.sysctls()
	}
	if g.area("podContext") && g.chance(0.5) {
		g.put(spec, "securityContext", one[any](g, fields{}, nil, context))
		return
	}
	spec["securityContext"] = context
}

func (g *generator) sysctls() any {
	if g.chance(0.1) {
		return one[any](g, nil, []any{})
	}
	names := []any{"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
		"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
		"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"}
	bad := []any{"kernel.msgmax", "net.ipv4.tcp_mem", "net/ipv4/tcp_rmem", "net.ipv4.tcp_rmem ", "", nil}
	list := []any{}
	for range 1 + g.random.IntN(2) {
		name := one(g, names...)
		if g.chance(0.15) {
			name = one(g, bad...)
		}
		list = append(list, fields{"name": name, "value": "1"})
	}
	if g.chance(0.05) {
		list = append(list, one[any](g, nil, fields{}, fields{"value": "1"}))
	}
	return list
}

func (g *generator) container(name string, isInit bool) fields {
	container := fields{"name": name, "image": "myacr.azurecr.io/web:1", "env": []any{fields{"name": "A", "value": "b"}}}
	if isInit && g.chance(0.4) {
		container["restartPolicy"] = "Always"
	}
	context := fields{}
	g.shared(context)
	if g.area("privileged") && g.chance(0.6) {
		context["privileged"] = one[any](g, true, true, false, nil)
	}
	if g.area("procMount") && g.chance(0.6) {
		context["procMount"] = one[any](g, "Default", "Default", "Default", "Unmasked", "", nil, "default")
	}
	if !g.area("allowPrivilegeEscalation") {
		context["allowPrivilegeEscalation"] = false
	} else if g.chance(0.9) {
		context["allowPrivilegeEscalation"] = one[any](g, false, false, false, false, false, true, nil)
	}
	if !g.area("capabilities") {
		context["capabilities"] = fields{"drop": []any{"ALL"}}
	} else if g.chance(0.9) {
		context["capabilities"] = g.capabilities()
	}
	if g.area("runAsNonRoot") && g.chance(0.5) {
		context["runAsNonRoot"] = one[any](g, true, true, true, true, false, nil)
	}
	if g.area("seccomp") && g.chance(0.4) {
		context["seccompProfile"] = g.profile()
	}
	if g.area("context") && g.chance(0.3) {
		g.put(container, "securityContext", one[any](g, fields{}, nil, context))
	} else {
		container["securityContext"] = context
	}
	if g.area("hostPorts") && g.chance(0.7) {
		g.put(container, "ports", g.ports())
	}
	for _, key := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
		if g.area("hosts") && g.chance(0.6) {
			g.put(container, key, g.handler())
		}
	}
	if g.area("hosts") && g.chance(0.5) {
		lifecycle := fields{}
		g.put(lifecycle, one(g, "postStart", "preStop"), g.handler())
		container["lifecycle"] = lifecycle
	}
	return container
}

func (g *generator) capabilities() any {
	if g.chance(0.1) {
		return one[any](g, nil, fields{}, fields{"drop": nil}, fields{"drop": []any{}, "add": nil})
	}
	all := fields{}
	g.put(all, "drop", one[any](g, []any{"ALL"}, []any{"ALL"}, []any{"ALL"}, []any{"ALL"}, []any{"NET_RAW", "ALL"}, []any{"all"}, []any{"NET_RAW"}, []any{nil}, []any{}))
	if g.chance(0.8) {
		g.put(all, "add", one[any](g, []any{"NET_BIND_SERVICE"}, []any{"NET_BIND_SERVICE"}, []any{"NET_BIND_SERVICE"}, []any{},
			[]any{"CHOWN"}, []any{"SETUID", "NET_BIND_SERVICE"}, []any{one(g, "AUDIT_WRITE", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "SETFCAP", "SETGID", "SETPCAP", "SYS_CHROOT")},
			[]any{"NET_RAW"}, []any{"SYS_ADMIN", "CHOWN"}, []any{"ALL"}, []any{nil}, []any{""}, []any{"CAP_CHOWN"}, []any{"chown"}))
	}
	return all
}

func (g *generator) ports() any {
	list := []any{}
	for range 1 + g.random.IntN(3) {
		port := fields{"containerPort": 80}
		if g.chance(0.5) {
			port["hostPort"] = one[any](g, 0, 80, 80, 65535, nil)
		}
		list = append(list, port)
	}
	if g.chance(0.03) {
		list = append(list, nil)
	}
	return list
}

func (g *generator) handler() any {
	host := func() any {
		target := fields{"port": 80}
		if g.chance(0.6) {
			target["host"] = one[any](g, "", "", "10.0.0.1", "localhost", nil)
		}
		return one[any](g, target, target, target, nil, fields{})
	}
	return one[any](g, fields{"httpGet": host()}, fields{"tcpSocket": host()}, fields{"httpGet": host(), "tcpSocket": host()},
		fields{"exec": fields{"command": []any{"true"}}}, fields{"grpc": fields{"port": 1, "service": "host"}}, fields{})
}

// --- volumes ----------------------------------------------------------------------------------------------------------

var goodVolumes = []string{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}

// Half of them hostPath, which baseline asks about alone.
var otherVolumes = []string{"hostPath", "hostPath", "hostPath", "hostPath", "hostPath", "hostPath",
	"hostPath", "hostPath", "hostPath", "hostPath", "hostPath", "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi",
	"glusterfs", "rbd", "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk",
	"photonPersistentDisk", "portworxVolume", "scaleIO", "storageos", "futureVolume", "ConfigMap"}

func (g *generator) volumes() any {
	list := []any{}
	for i := range 1 + g.random.IntN(4) {
		volume := fields{"name": fmt.Sprint("v", i)}
		good := fields{}
		volume[one(g, goodVolumes...)] = good
		if g.area("volumes") && g.chance(0.7) {
			volume = fields{"name": fmt.Sprint("v", i)}
			other := one[any](g, fields{}, fields{}, fields{}, nil)
			volume[one(g, otherVolumes...)] = other
			if g.chance(0.2) {
				volume[one(g, goodVolumes...)] = one[any](g, good, nil)
			}
		}
		list = append(list, volume)
	}
	if g.area("volumes") && g.chance(0.3) {
		list = append(list, fields{"name": "host", "hostPath": fields{"path": "/"}})
	}
	if g.area("volumes") && g.chance(0.05) {
		list = append(list, one[any](g, nil, fields{}, fields{"name": nil}))
	}
	return list
}
