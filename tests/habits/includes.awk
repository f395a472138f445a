# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads "FILE:LINE:#include ..." and prints the includes that are not allowed: who may use whom.

BEGIN {
    allowed["base"] = "base"
    allowed["maps"] = "base maps"
    allowed["mapper"] = "base maps mapper"
    allowed["xdp"] = "base maps xdp"
    allowed["edge"] = "base maps edge"
    allowed["bgp"] = "base bgp"
    # what publishes to the kernel, and what renders for it
    extra["edge/daemon", "xdp/xdp_publish.h"] = 1
    extra["edge/daemon", "xdp/listener_core.h"] = 1
    extra["edge/daemon", "xdp/model.h"] = 1
    extra["edge/render", "xdp/template_table.h"] = 1
    extra["edge/render", "xdp/name_core.h"] = 1
    extra["edge/render", "xdp/packet_core.h"] = 1
    extra["edge/xdpbench", "xdp/xdp_publish.h"] = 1
    extra["edge/xdpbench", "xdp/fast_abi.h"] = 1
    extra["edge/xdpbench", "xdp/packet_bench.h"] = 1
    extra["edge/xdpbench", "xdp/cores_bench.h"] = 1
    extra["edge/xdpbench", "xdp/cores_check.h"] = 1
    extra["bgp", "maps/pop_state.h"] = 1
    # the stages of edge/, in the order of its data flow
    stage_n = split("wire zone service answer render serve compare daemon xdpbench", stages, " ")
    for (i = 1; i <= stage_n; i++)
        stage_of["edge/" stages[i]] = i
    folders = " base maps mapper xdp edge bgp tests "
}

function wrong(reason)
{
    printf "%s:%s:1: %s\n", file, line, reason
}

{
    split($0, place, ":")
    file = place[1]
    line = place[2]
    if (!match($0, /[<"][^>"]+[>"]/))
        next
    quoted = substr($0, RSTART, 1) == "\""
    target = substr($0, RSTART + 1, RLENGTH - 2)
    folder = file
    sub(/\/.*/, "", folder)
    target_folder = target
    sub(/\/.*/, "", target_folder)
    ours = quoted && index(folders, " " target_folder " ") && target ~ /\//
    if (folder == "tests")
        next

    if (file ~ /_(core|abi)\.h$/) {
        # compiled for the kernel too
        if (target != "linux/types.h" && target !~ /_(core|abi)\.h$/)
            wrong("\"" target "\": kernel-side headers include <linux/types.h> and each other only")
        else if (ours && index(" " allowed[folder] " ", " " target_folder " ") == 0)
            wrong("\"" target "\": " folder "/ may not use " target_folder "/")
        next
    }
    if (file ~ /\.bpf\.[ch]$/) {
        if (target !~ /_(core|abi)\.h$/ && target !~ /^(linux|bpf)\// && target !~ /\.bpf\.h$/)
            wrong("\"" target "\": the kernel side includes *_core.h, *_abi.h, linux/ and bpf/ only")
        next
    }
    if (quoted && !ours) {
        # generated BPF skeletons carry no folder
        if (target !~ /\.skel\.h$/)
            wrong("\"" target "\": project headers are included as \"folder/name.h\"")
        next
    }
    if (ours && index(" " allowed[folder] " ", " " target_folder " ") == 0 && !((part(file), target) in extra))
        wrong("\"" target "\": " folder "/ may not use " target_folder "/")
    if (ours && stage(target) > stage(file))
        wrong("\"" target "\": a stage of edge/ may only use those before it")
}

# The folder that a file lies in, "edge/render".
function part(path)
{
    sub(/\/[^\/]*$/, "", path)
    return path
}

# 0 for what is no stage of edge/.
function stage(path)
{
    return match(path, /^edge\/[a-z]+/) ? stage_of[substr(path, 1, RLENGTH)] + 0 : 0
}
