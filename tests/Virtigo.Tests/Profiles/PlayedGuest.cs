using System.Text.RegularExpressions;
using Virtigo.Profiles;
using Virtigo.Tests.Archives;
using Virtigo.Tests.Machines;

namespace Virtigo.Tests.Profiles;

/// <summary>
/// A guest whose commands really run, by the program that runs in guests, in a folder that plays its root: <c>/etc</c>, <c>/proc</c>, <c>/sys</c> and
/// <c>/var/lib/virtigo</c> are below it, and programs of the system are small scripts that keep their state there. Nothing of this host is changed.
/// </summary>
internal sealed partial class PlayedGuest : IAsyncDisposable
{
    private readonly RealGuestSide _side;
    private readonly string _root = TestArchiveTools.NewFolder();

    private PlayedGuest(RealGuestSide side) => _side = side;

    /// <summary>The folder that plays its root.</summary>
    public string Root => _root;

    /// <summary>Runs its commands.</summary>
    public GuestCommand Run => (command, options, cancellationToken) => _side.Shell.ExecuteAsync(Inside().Replace(command, _root + "/$1"),
        options with { Environment = new Dictionary<string, string> { ["PATH"] = $"{_root}/bin:/usr/bin:/bin" } }, cancellationToken);

    public static async Task<PlayedGuest> StartAsync(CancellationToken cancellationToken)
    {
        var guest = new PlayedGuest(await RealGuestSide.StartAsync(cancellationToken));
        guest.Write("proc/cmdline", "root=UUID=1 ro quiet\n");
        guest.Write("proc/sys/kernel/random/entropy_avail", "256\n");
        guest.Write("sys/devices/system/clocksource/clocksource0/current_clocksource", "jiffies\n");
        guest.Write("sys/devices/system/clocksource/clocksource0/available_clocksource", "jiffies hpet acpi_pm\n");
        guest.Write("sys/bus/virtio/devices/virtio0/device", "0x0004\n");
        guest.Write("units/chrony.service", "masked inactive\n");
        guest.Write("units/fstrim.timer", "disabled inactive\n");
        guest.Write("ahead", "0");
        guest.Program("systemd-detect-virt", "echo qemu");
        guest.Program("udevadm", "true");
        guest.Program("findmnt", "exit 1");
        guest.Program("ip", "true");
        guest.Program("update-grub", "echo run >> $R/grub");
        guest.Program("chronyd", "true");
        guest.Program("modprobe", "if [ \"$1\" = -r ]; then rmdir $R/sys/module/$2; else mkdir -p $R/sys/module/$1; fi");
        guest.Program("bash", "while IFS= read -r _; do n=$(($(date +%s%N) + $(cat $R/ahead))); printf '%d.%09d\\n' $((n / 1000000000)) $((n % 1000000000)); done");
        guest.Program("perl", "while [ $# -gt 2 ]; do shift; done; [ \"$1\" = step-clock ] && n=$(($(cat $R/ahead) + $2)) && echo $n > $R/ahead");
        guest.Program("systemctl", """
            v=$1; shift; [ "$1" = --runtime ] && shift
            u() { e=not-found; a=inactive; [ -e $R/units/$1 ] && read -r e a < $R/units/$1; }
            case $v in
            show) for n; do case $n in -p|Id|LoadState|UnitFileState|ActiveState) continue;; esac; u $n
                l=loaded; case $e in masked|not-found) l=$e;; esac
                printf 'Id=%s\nLoadState=%s\nUnitFileState=%s\nActiveState=%s\n\n' $n $l $e $a; done;;
            is-enabled) u $1; echo $e; [ $e = enabled ];;
            is-active) u $1; echo $a; [ $a = active ];;
            *) u $1; w=$R/etc/systemd/system/timers.target.wants
                case $v in unmask) [ $e = masked ] && e=disabled;; mask) e=masked;; start) [ $e != masked ] && a=active;; stop) a=inactive;;
                enable) e=enabled; mkdir -p $w; ln -sf /x $w/$1;; disable) e=disabled; rm -f $w/$1;; esac
                echo $e $a > $R/units/$1;;
            esac
            """);
        return guest;
    }

    /// <summary>Writes a file of the guest's.</summary>
    public void Write(string path, string content)
    {
        string full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
    }

    /// <summary>A file of the guest's; null when there is none.</summary>
    public string? Read(string path) => Path.Combine(_root, path) is var full && File.Exists(full) ? File.ReadAllText(full).Trim() : null;

    /// <summary>Everything that the guest has, by its path.</summary>
    public IReadOnlyDictionary<string, string> Everything() => Directory.EnumerateFileSystemEntries(_root, "*", SearchOption.AllDirectories)
        .Where(path => !path.EndsWith("/grub", StringComparison.Ordinal))
        .Where(path => !Directory.Exists(path) || path.Contains("/sys/module/", StringComparison.Ordinal))
        .ToDictionary(path => Path.GetRelativePath(_root, path), path => new FileInfo(path) is { Exists: true, LinkTarget: null } ? File.ReadAllText(path).Trim() : "");

    public async ValueTask DisposeAsync() => await _side.DisposeAsync();

    public void Program(string name, string script)
    {
        Write("bin/" + name, $"#!/bin/sh\nR={_root}\n{script}\n");
        File.SetUnixFileMode(Path.Combine(_root, "bin", name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [GeneratedRegex(@"(?<![\w.}""])/(etc|proc|sys|boot|var/lib/virtigo|usr/lib/systemd|lib/systemd)(?!\w)")]
    private static partial Regex Inside();
}
