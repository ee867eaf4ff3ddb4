using System.Collections.Frozen;
using System.Globalization;

namespace Virtigo.Profiles;

/// <summary>A network card of a guest's with a device behind it.</summary>
/// <param name="Name">Its name in the guest.</param>
/// <param name="Driver">Its driver; empty if unknown.</param>
/// <param name="LinkFile">The name of the <c>.link</c> file that applies to it; empty for none.</param>
internal sealed record GuestNicFact(string Name, string Driver, string LinkFile);

/// <summary>A unit of a guest's systemd.</summary>
/// <param name="Load">Whether it is there: <c>loaded</c>, <c>masked</c>, <c>not-found</c>.</param>
/// <param name="File">Whether it starts by itself: <c>enabled</c>, <c>disabled</c>, <c>static</c>, <c>masked</c>.</param>
/// <param name="Active">Whether it runs: <c>active</c>, <c>inactive</c>.</param>
internal sealed record GuestUnitFact(string Load, string File, string Active);

/// <summary>What a guest says of itself. It may say anything: what makes no sense is left out, and all of it is bounded.</summary>
internal sealed class GuestFacts
{
    /// <summary>The most that is read of what the guest says, in bytes.</summary>
    public const int MaxBytes = 64 << 10;

    private const int MaxLines = 500;
    private const int MaxValue = 4096;
    private const int MaxNics = 16;
    private const int MaxUnits = 32;
    private static readonly FrozenSet<string> s_keys = FrozenSet.Create(StringComparer.Ordinal,
        "virt", "hypervisor", "guest-type", "vendor", "cmdline", "clocksource", "clocksources", "wallclock", "rng", "entropy", "discard");

    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _programs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, bool> _virtio = new(StringComparer.Ordinal);
    private readonly List<GuestNicFact> _nics = [];
    private readonly Dictionary<string, GuestUnitFact> _units = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _cardOf = new(StringComparer.Ordinal);
    private string _unit = "";

    private GuestFacts() => Kind = GuestKind.Unknown;

    /// <summary>What it runs on.</summary>
    public GuestKind Kind { get; private set; }

    /// <summary>Its network cards.</summary>
    public IReadOnlyList<GuestNicFact> Nics => _nics;

    /// <summary>The words of the kernel's command line.</summary>
    public IReadOnlyList<string> KernelArguments => Value("cmdline").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The clock sources that the kernel has.</summary>
    public IReadOnlyList<string> ClockSources => Value("clocksources").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The command that asks a guest.</summary>
    public static string Script { get; } = $$"""
        exec 2>/dev/null
        r() { v=; [ -r "$2" ] && IFS= read -r v < "$2"; [ -n "$v" ] && printf '%s %s\n' "$1" "$v"; }
        printf 'virt %s\n' "$(systemd-detect-virt --vm)"
        r hypervisor /sys/hypervisor/type
        r guest-type /sys/hypervisor/guest_type
        while read -r k c v; do case $k in vendor_id) printf 'vendor %s\n' "$v"; break;; esac; done < /proc/cpuinfo
        r cmdline /proc/cmdline
        r clocksource /sys/devices/system/clocksource/clocksource0/current_clocksource
        r clocksources /sys/devices/system/clocksource/clocksource0/available_clocksource
        r wallclock {{ProfileTargets.Wallclock}}
        r rng /sys/class/misc/hw_random/rng_current
        r entropy /proc/sys/kernel/random/entropy_avail
        for p in perl bash update-grub fstrim chronyd ntpd openntpd qemu-ga; do command -v $p >/dev/null && echo "have $p"; done
        [ -x /usr/lib/systemd/systemd-timesyncd ] && echo 'have systemd-timesyncd'
        for d in /sys/bus/virtio/devices/*; do v=; read -r v < "$d/device" && if [ -e "$d/driver" ]; then echo "virtio $v 1"; else echo "virtio $v 0"; fi; done
        m=$(echo $(findmnt -no MAJ:MIN /)) && d=/sys/dev/block/$m && if [ -e $d/partition ]; then r discard $d/../queue/discard_max_bytes; else r discard $d/queue/discard_max_bytes; fi
        for n in /sys/class/net/*; do [ -e "$n/device" ] || continue
        d=$(readlink "$n/device/driver"); d=${d##*/}; l=; udevadm info -q property -p "$n" | { while IFS= read -r v; do case $v in ID_NET_LINK_FILE=*) l=${v##*/};; esac; done
        printf 'nic %s %s %s\n' "${n##*/}" "${d:--}" "$l"; }; done
        ip -o -4 address show | while read -r i n f a x; do printf 'address %s %s\n' "$n" "${a%%/*}"; done
        systemctl show -p Id -p LoadState -p UnitFileState -p ActiveState {{string.Join(' ', ProfileTargets.Units)}} | while IFS= read -r v; do printf 'unit %s\n' "$v"; done
        true
        """;

    /// <summary>Reads what a guest said.</summary>
    /// <param name="said">Anything at all.</param>
    public static GuestFacts Parse(string said)
    {
        var facts = new GuestFacts();
        ReadOnlySpan<char> text = said.AsSpan(0, Math.Min(said.Length, MaxBytes));
        int lines = 0;
        foreach (ReadOnlySpan<char> line in text.EnumerateLines())
        {
            if (++lines > MaxLines)
            {
                break;
            }

            if (line.IndexOf(' ') is var at and > 0)
            {
                facts.Take(line[..at].ToString(), Clean(line[(at + 1)..]));
            }
        }

        facts.Kind = facts.KindOf();
        return facts;
    }

    /// <summary>A value that was told; empty for none.</summary>
    public string Value(string key) => _values.GetValueOrDefault(key, "");

    /// <summary>A number that was told.</summary>
    public long? Number(string key) => long.TryParse(Value(key), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;

    /// <summary>Whether a program is there.</summary>
    public bool Has(string program) => _programs.Contains(program);

    /// <summary>Whether there is a virtio device of a type (<c>0x0004</c>), and if so, whether a driver has it.</summary>
    public bool? VirtioDriven(string type) => _virtio.TryGetValue(type, out bool driven) ? driven : null;

    /// <summary>A unit; one that was not told of is not there.</summary>
    public GuestUnitFact Unit(string name) => _units.GetValueOrDefault(name, new GuestUnitFact("not-found", "", "inactive"));

    /// <summary>The network card that has an address.</summary>
    public GuestNicFact? NicAt(string address) => _cardOf.TryGetValue(address, out string? name) ? _nics.FirstOrDefault(nic => nic.Name == name) : null;

    private static string Clean(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> cut = text[..Math.Min(text.Length, MaxValue)];
        return string.Concat(cut.ToString().Where(letter => letter is >= ' ' and < '\x7f')).Trim();
    }

    private void Take(string key, string value)
    {
        string[] words = value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        switch (key)
        {
            case "have" when words is [string program] && _programs.Count < MaxUnits:
                _programs.Add(program);
                break;
            case "virtio" when words is [string type, string driven] && _virtio.Count < MaxUnits:
                _virtio.TryAdd(type, driven == "1");
                break;
            case "nic" when words.Length is 2 or 3 && ProfileTargets.IsCard(words[0]) && _nics.Count < MaxNics && _nics.All(nic => nic.Name != words[0]):
                _nics.Add(new GuestNicFact(words[0], words[1] == "-" ? "" : words[1], words.Length == 3 && ProfileTargets.IsLinkFile(words[2]) ? words[2] : ""));
                break;
            case "address" when words is [string card, string address] && ProfileTargets.IsCard(card) && _cardOf.Count < MaxNics * MaxNics:
                _cardOf.TryAdd(address, card);
                break;
            case "unit":
                TakeUnit(value);
                break;
            default:
                if (s_keys.Contains(key))
                {
                    _values.TryAdd(key, value);
                }

                break;
        }
    }

    private void TakeUnit(string line)
    {
        if (line.IndexOf('=', StringComparison.Ordinal) is not (var at and > 0))
        {
            return;
        }

        (string key, string value) = (line[..at], line[(at + 1)..]);
        if (key == "Id")
        {
            _unit = ProfileTargets.Units.Contains(value) && _units.TryAdd(value, new GuestUnitFact("", "", "")) ? value : "";
        }
        else if (_unit.Length > 0 && _units.TryGetValue(_unit, out GuestUnitFact? unit))
        {
            _units[_unit] = key switch
            {
                "LoadState" => unit with { Load = value },
                "UnitFileState" => unit with { File = value },
                "ActiveState" => unit with { Active = value },
                _ => unit,
            };
        }
    }

    private GuestKind KindOf() => (Value("virt"), Value("hypervisor"), Value("guest-type"), Value("vendor")) switch
    {
        (_, _, _, "User Mode Linux") or ("uml", _, _, _) => GuestKind.Uml,
        (_, "xen", "PV", _) => GuestKind.XenPv,
        (_, "xen", "PVH", _) => GuestKind.XenPvh,
        (_, "xen", _, _) or ("xen", _, _, _) => GuestKind.XenHvm,
        ("kvm", _, _, _) or ("amazon", _, _, _) => GuestKind.Kvm,
        ("qemu", _, _, _) => GuestKind.Tcg,
        _ => GuestKind.Unknown,
    };
}
