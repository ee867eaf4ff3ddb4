using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>What an exported disk can be defined for.</summary>
public enum DefinitionKind
{
    /// <summary>A shell script that runs QEMU.</summary>
    Qemu,

    /// <summary>A domain of libvirt, for <c>virsh define</c>.</summary>
    Libvirt,

    /// <summary>A configuration for <c>xl create</c>.</summary>
    Xen,

    /// <summary>A shell script of Proxmox's <c>qm</c> commands.</summary>
    Proxmox,

    /// <summary>A NoCloud seed: <c>meta-data</c> and <c>user-data</c>.</summary>
    CloudInit,
}

/// <summary>One file of a definition.</summary>
/// <param name="Name">Its name, without a folder.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsScript">Whether it is to be run.</param>
public sealed record DefinitionFile(string Name, string Content, bool IsScript);

/// <summary>How to run an exported image elsewhere.</summary>
public sealed record DefinitionOptions
{
    /// <summary>The exported disk; an absolute path on the host that it will run on.</summary>
    public required string DiskPath { get; init; }

    /// <summary>Where a further disk is expected: beside the first, with its name before the ending, as in <c>web-data.qcow2</c>.</summary>
    /// <param name="name">The disk's name.</param>
    public string FurtherDiskPath(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Path.Combine(Path.GetDirectoryName(DiskPath) ?? "/", $"{Path.GetFileNameWithoutExtension(DiskPath)}-{name}{Path.GetExtension(DiskPath)}");
    }

    /// <summary>The format of all disks.</summary>
    public required DiskFormat Format { get; init; }

    /// <summary>Public keys that may log in, one line each; only for <see cref="DefinitionKind.CloudInit"/>.</summary>
    public IReadOnlyList<string> SshKeys { get; init; } = [];
}

/// <summary>
/// Writes definitions of machines for exported disks. They give an image the processors, the memory and the devices that it was installed with, as
/// far as the hypervisor has them.
/// </summary>
public static class MachineDefinitions
{
    private static readonly DiskFormat[] s_packed = [DiskFormat.Ova, DiskFormat.RawZst, DiskFormat.RawXz];

    /// <summary>Writes a definition.</summary>
    /// <param name="manifest">The image's manifest.</param>
    /// <param name="kind">What for.</param>
    /// <param name="options">The disk.</param>
    /// <exception cref="VirtigoException">
    /// The disk's format cannot be used there, or the image lacks what it needs there (<see cref="FailureKind.Usage"/>).
    /// </exception>
    public static IReadOnlyList<DefinitionFile> Write(ImageManifest manifest, DefinitionKind kind, DefinitionOptions options)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(options);
        CheckFormat(kind, options.Format);
        CheckPath(options.DiskPath, kind);
        var shape = MachineShape.Of(manifest);
        CheckWords(shape);
        bool agent = Has(manifest, "qemu-guest-agent");
        return kind switch
        {
            DefinitionKind.Qemu => [new DefinitionFile(shape.Name + ".sh", QemuScript.Write(shape, options), true)],
            DefinitionKind.Libvirt => [new DefinitionFile(shape.Name + ".xml", LibvirtDomain.Write(shape, options, agent), false)],
            DefinitionKind.Xen => [new DefinitionFile(shape.Name + ".cfg", XenConfig.Write(shape, options), false)],
            DefinitionKind.Proxmox => [new DefinitionFile(shape.Name + ".sh", ProxmoxScript.Write(shape, options, agent), true)],
            DefinitionKind.CloudInit => CloudInit(manifest, options),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    private static IReadOnlyList<DefinitionFile> CloudInit(ImageManifest manifest, DefinitionOptions options) => Has(manifest, "cloud-init")
        ? CloudSeed.Write(manifest, options.SshKeys)
        : throw new VirtigoException(FailureKind.Usage, $"The image {manifest.Name} has no cloud-init, which is what reads a seed.",
            "Add it to the spec and build again: packages: [cloud-init]");

    private static bool Has(ImageManifest manifest, string package) => manifest.Packages.Any(one => one.Name == package);

    private static void CheckFormat(DefinitionKind kind, DiskFormat format)
    {
        bool usable = kind switch
        {
            DefinitionKind.CloudInit => true,
            DefinitionKind.Xen => format is DiskFormat.Raw or DiskFormat.Qcow2,
            DefinitionKind.Proxmox => format is DiskFormat.Raw or DiskFormat.Qcow2 or DiskFormat.Vmdk,
            _ => !s_packed.Contains(format),
        };
        if (!usable)
        {
            throw new VirtigoException(FailureKind.Usage, $"A {DiskFormats.NameOf(format)} file cannot be the disk of a machine there.",
                s_packed.Contains(format) && format != DiskFormat.Ova ? "Unpack it first, or export as qcow2." : "Export as qcow2.");
        }
    }

    private static void CheckPath(string path, DefinitionKind kind)
    {
        // Proxmox takes a comma for the end of a path, and has no way to write one.
        bool hasComma = kind == DefinitionKind.Proxmox && path.Contains(',', StringComparison.Ordinal);
        if (!Path.IsPathRooted(path) || path.Any(char.IsControl) || hasComma)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"The disk's path must be absolute and without control characters{(hasComma ? " and commas" : "")}.", "For instance: --disk /srv/web.qcow2");
        }
    }

    // A manifest may come from elsewhere, and these words stand in scripts.
    private static void CheckWords(MachineShape shape)
    {
        if (shape.Cards.Any(mac => mac is not null && (mac.Length != 17 || !mac.All(c => char.IsAsciiHexDigitLower(c) || c == ':'))))
        {
            throw new VirtigoException(FailureKind.Host, "The manifest's network cards are none that Virtigo gives.", "Build the image again.");
        }

        foreach (string word in (string[])[shape.Name, shape.Distribution, shape.Release, shape.Architecture, .. shape.FurtherDisks.Select(disk => disk.Name)])
        {
            if (word.Length == 0 || !word.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '+'))
            {
                throw new VirtigoException(FailureKind.Host, "The manifest's name, distribution or release is none that Virtigo gives.", "Build the image again.");
            }
        }
    }
}

/// <summary>A script that runs QEMU on the terminal.</summary>
internal static class QemuScript
{
    public static string Write(MachineShape shape, DefinitionOptions options)
    {
        string disk = $"if=none,id=disk,file={options.DiskPath.Replace(",", ",,", StringComparison.Ordinal)},format={DiskFormats.Driver(options.Format)},discard=unmap";
        string firmware = shape.Uefi ? "    -bios \"${OVMF:-/usr/share/ovmf/OVMF.fd}\" \\\n" : "";
        return $$"""
            #!/bin/sh
            # {{shape.Name}}, {{shape.Distribution}} {{shape.Release}} {{shape.Architecture}}: runs on this terminal, Ctrl-A X ends it. What it writes stays on the disk.
            # Its ssh is on this host's loopback, port ${SSH_PORT:-2222}. More options for QEMU may be given as arguments.
            set -eu
            exec qemu-system-x86_64 \
                -name {{ShellQuote.Word(shape.Name)}} \
                -machine pc,accel=kvm:tcg -cpu max -smp {{shape.Cpus}} -m {{shape.MemoryMiB}} \
            {{firmware}}    -drive {{ShellQuote.Word(disk)}} \
                -device virtio-blk-pci,drive=disk,addr=0x2 \
            {{Disks(shape, options)}}{{Cards(shape)}}    -device virtio-rng-pci \
                -vga none -nographic "$@"

            """;
    }

    private static string Disks(MachineShape shape, DefinitionOptions options) => string.Concat(shape.FurtherDisks.Index().Select(disk =>
    {
        string path = options.FurtherDiskPath(disk.Item.Name).Replace(",", ",,", StringComparison.Ordinal);
        string drive = ShellQuote.Word(FormattableString.Invariant($"if=none,id=disk{disk.Index + 1},file={path},format={DiskFormats.Driver(options.Format)},discard=unmap"));
        return FormattableString.Invariant($"""
                -drive {drive} \
                -device virtio-blk-pci,drive=disk{disk.Index + 1},addr=0x{0x11 + disk.Index:x},serial={disk.Item.Name} \

            """);
    }));

    /// <summary>The first card at the place on the bus where the installer found it; the others where environments have theirs, so that their order is the same.</summary>
    private static string Cards(MachineShape shape) => string.Concat(shape.Cards.Index().Select(card => card.Index == 0
        ? $$"""
                -netdev "user,id=net,hostfwd=tcp:127.0.0.1:${SSH_PORT:-2222}-:22" \
                -device virtio-net-pci,netdev=net,addr=0x3{{Mac(card.Item)}} \

            """
        : FormattableString.Invariant($"""
                -netdev user,id=net{card.Index} \
                -device virtio-net-pci,netdev=net{card.Index},addr=0x{0x17 + card.Index:x}{Mac(card.Item)} \

            """)));

    private static string Mac(string? mac) => mac is null ? "" : ",mac=" + mac;
}

/// <summary>A configuration for Xen's <c>xl</c>.</summary>
internal static class XenConfig
{
    public static string Write(MachineShape shape, DefinitionOptions options) => $"""
        # {shape.Name}, {shape.Distribution} {shape.Release} {shape.Architecture}. Start it: xl create {shape.Name}.cfg
        # Its network card has another name here than where it was installed: see docs/images.md.
        name = "{shape.Name}"
        type = "hvm"
        {(shape.Uefi ? "bios = \"ovmf\"\n" : "")}vcpus = {shape.Cpus}
        memory = {shape.MemoryMiB}
        disk = [ {Quoted($"format={DiskFormats.Driver(options.Format)}, vdev=xvda, access=rw, target={options.DiskPath}")}{string.Concat(shape.FurtherDisks.Index().Select(disk =>
            ", " + Quoted($"format={DiskFormats.Driver(options.Format)}, vdev=xvd{(char)('b' + disk.Index)}, access=rw, target={options.FurtherDiskPath(disk.Item.Name)}")))} ]
        vif = [ {string.Join(", ", shape.Cards.Select(mac => $"\"{(mac is null ? "" : $"mac={mac},")}bridge=xenbr0\""))} ]
        serial = "pty"
        vga = "none"
        on_reboot = "restart"

        """;

    // The file is read with Python's rules for strings.
    private static string Quoted(string text) =>
        "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}

/// <summary>Commands for Proxmox.</summary>
internal static class ProxmoxScript
{
    public static string Write(MachineShape shape, DefinitionOptions options, bool agent)
    {
        string import = ShellQuote.Word(options.DiskPath);
        string firmware = shape.Uefi ? " \\\n    --bios ovmf --efidisk0 \"$storage:1,efitype=4m\"" : "";
        return $$"""
            #!/bin/sh
            # {{shape.Name}}, {{shape.Distribution}} {{shape.Release}} {{shape.Architecture}}: run as root on a Proxmox VE host of version 7.2 or newer that has the disk.
            # Its network card has another name here than where it was installed: see docs/images.md.
            set -eu
            id=${1:?usage: $0 VMID [STORAGE] [BRIDGE]}
            storage=${2:-local-lvm}
            bridge=${3:-vmbr0}
            disk={{import}}
            qm create "$id" --name {{ShellQuote.Word(shape.Name)}} --ostype l26 --cpu host --cores {{shape.Cpus}} --memory {{shape.MemoryMiB}} \
                --virtio0 "$storage:0,import-from=$disk,discard=on" {{Disks(shape, options)}}--boot order=virtio0 \
                {{string.Join(' ', shape.Cards.Index().Select(card => FormattableString.Invariant($"--net{card.Index} \"virtio{(card.Item is null ? "" : "=" + card.Item.ToUpperInvariant())},bridge=$bridge\"")))}} --serial0 socket --vga serial0 --rng0 source=/dev/urandom --agent enabled={{(agent ? 1 : 0)}}{{firmware}}
            echo "start it: qm start $id"

            """;
    }

    private static string Disks(MachineShape shape, DefinitionOptions options) => string.Concat(shape.FurtherDisks.Index().Select(disk =>
        FormattableString.Invariant($"--virtio{disk.Index + 1} \"$storage:0,import-from=\"{ShellQuote.Word(options.FurtherDiskPath(disk.Item.Name))}\",discard=on,serial={disk.Item.Name}\" ")));
}
