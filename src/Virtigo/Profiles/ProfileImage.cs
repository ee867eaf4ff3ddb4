using System.Text;
using Virtigo.Host;

namespace Virtigo.Profiles;

/// <summary>The profile of an image: what is done in it, before it runs anywhere, for the guests that will be made of it. Everything of it is harmless on any other hypervisor.</summary>
/// <param name="Kinds">The guests that it is for, each once, in the order of <see cref="GuestKinds.All"/>.</param>
/// <param name="Below">Those that what it builds on is for already.</param>
internal sealed record ProfileImage(IReadOnlyList<GuestKind> Kinds, IReadOnlyList<GuestKind> Below)
{
    /// <summary>What the script's steps are made of. A state is kept as letters that JSON takes as they are.</summary>
    private const string Functions = """
        set -e
        state=@STATE@
        end=']}'
        grub=

        keep() {
            mkdir -p "${state%/*}"
            one=$(printf '{"setting":"%s","kind":"%s","target":"%s","before":"%s","after":"%s"}' "$@")
            if [ -s "$state" ]; then
                kept=$(cat "$state")
                printf '%s,%s%s' "${kept%"$end"}" "$one" "$end" >"$state"
            else
                printf '{"changes":[%s%s' "$one" "$end" >"$state"
            fi
        }

        content() {
            if [ -e "$1" ]; then printf = && base64 -w0 <"$1"; else printf -- -; fi
        }

        file() {
            if [ -n "$4" ] && cat /etc/default/grub /etc/default/grub.d/*.cfg 2>/dev/null | grep -v '^[[:space:]]*#' | grep -qwF -e "$4"; then
                return 0
            fi
            before=$(content "$2")
            if [ "$before" = "=$3" ]; then return 0; fi
            mkdir -p "${2%/*}"
            printf %s "$3" | base64 -d >"$2"
            keep "$1" File "$2" "$before" "=$3"
            grub=1
        }

        unit_state() {
            enabled=$(systemctl is-enabled "$1" 2>/dev/null | head -n 1)
            link=unlinked
            for one in /etc/systemd/system/*.wants/"$1"; do
                if [ -L "$one" ]; then link=linked; fi
            done
            echo "${enabled:-none} $link"
        }

        unit() {
            setting=$1
            shift
            for name; do
                if [ ! -e /usr/lib/systemd/system/"$name" ] && [ ! -e /lib/systemd/system/"$name" ]; then continue; fi
                before=$(unit_state "$name")
                case $before in
                masked*|disabled*|none*)
                    systemctl unmask "$name"
                    systemctl enable "$name"
                    keep "$setting" Unit "$name" "$before inactive" "$(unit_state "$name") active"
                    ;;
                esac
                return 0
            done
        }


        """;

    /// <summary>Whether the console where the system asks stays the same wherever it runs: it will ask there for the passphrase of its disk.</summary>
    public bool KeepsConsole { get; init; }

    /// <summary>All guests that the image is for.</summary>
    public IReadOnlyList<GuestKind> All => [.. GuestKinds.All.Where(kind => Kinds.Contains(kind) || Below.Contains(kind))];

    /// <summary>The settings that guests of these kinds have, in the order in which they are told.</summary>
    public IReadOnlyList<ProfileSetting> Settings => [.. ProfileTable.All.Where(setting => setting.Kinds.Any(Kinds.Contains))];

    /// <summary>The settings that none of them has.</summary>
    public IReadOnlyList<ProfileSetting> NotApplicable => [.. ProfileTable.All.Except(Settings)];

    /// <summary>The profile of an image for guests of some hypervisors.</summary>
    /// <param name="words">Words that <see cref="GuestKinds.Meant"/> takes.</param>
    /// <param name="below">The kinds that what it builds on is for.</param>
    public static ProfileImage For(IEnumerable<string> words, IReadOnlyList<GuestKind> below)
    {
        HashSet<GuestKind> meant = [.. words.SelectMany(GuestKinds.Meant)];
        return new ProfileImage([.. GuestKinds.All.Where(meant.Contains)], below);
    }

    /// <summary>The steps of a setting; none where nothing is done before the system runs.</summary>
    public IReadOnlyList<BuildStep> StepsOf(ProfileSetting setting) => setting.Build?.Invoke(this) ?? [];

    /// <summary>The kernel's arguments as its boot loader is to have them where it comes from outside.</summary>
    /// <param name="given">The arguments without the profile.</param>
    public string KernelArguments(string given) => Settings.SelectMany(StepsOf).Where(step => step.Argument is not null).Aggregate(given, (line, step) =>
        line.Split(' ').Any(word => word.Split(',')[0] == step.Argument) ? line : step.First ? $"{step.Argument} {line}" : $"{line} {step.Argument}");

    /// <summary>
    /// The script that does all of it in the installed system, as root, when its packages are installed and nothing of it runs. What was before is kept
    /// as <see cref="ProfileState"/> has it, so that a machine that runs can take it back.
    /// </summary>
    public string Script
    {
        get
        {
            var script = new StringBuilder("#!/bin/sh\n").Append(Functions.Replace("@STATE@", ProfileState.Path, StringComparison.Ordinal));
            foreach ((string setting, BuildStep step) in Settings.SelectMany(setting => StepsOf(setting).Select(step => (setting.Name, step))))
            {
                script.Append(step.Kind == ChangeKind.Unit
                    ? ShellQuote.Command("unit", [setting, .. step.Targets])
                    : ShellQuote.Command("file", [setting, step.Targets[0], step.Wanted[1..], step.Argument ?? ""])).Append('\n');
            }

            // A system whose boot loader comes from outside has no menu yet.
            return script.Append("if [ -n \"$grub\" ] && [ -e /boot/grub/grub.cfg ]; then update-grub; fi\n").ToString();
        }
    }
}
