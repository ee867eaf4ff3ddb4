using System.Globalization;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Environments;

/// <summary>What a booted machine is told before its environment is ready: its name, and its addresses where the network does not tell them.</summary>
internal static class MachineSetup
{
    /// <summary>Changes when the script does, so that snapshots of older ones are not used.</summary>
    public static string Version { get; } = Script("", [], [], hasWayOut: true);

    /// <summary>
    /// A shell script, run as root. The first card has its IPv4 address from the network's DHCP, which also names the name server; a system
    /// without a DHCP client, or that does not know the card by the name that it has under this hypervisor, gets both written. A card that the system gives an address itself keeps it, and its name server becomes the
    /// network's. Other cards and IPv6 are set here: no installed system expects them.
    /// </summary>
    /// <param name="name">The machine's name.</param>
    /// <param name="nics">Its cards.</param>
    /// <param name="networks">The networks.</param>
    /// <param name="hasWayOut">Whether the first card's network leads to hosts outside.</param>
    public static string Script(string name, IReadOnlyList<NicPlan> nics, IReadOnlyList<NetworkPlan> networks, bool hasWayOut)
    {
        var script = new StringBuilder("""
            set -e
            card() {
                for each in /sys/class/net/*; do
                    if [ "$(cat "$each/address")" = "$1" ]; then echo "${each##*/}"; return; fi
                done
                echo "there is no network card $1" >&2
                return 1
            }
            unknown() {
                command -v ifquery >/dev/null && ! ifquery "$1" >/dev/null 2>&1 \
                    && ! systemctl --quiet is-active systemd-networkd && ! systemctl --quiet is-active NetworkManager
            }
            leased() {
                for try in $(seq 300); do
                    if unknown "$1"; then break; fi
                    if ip -4 -o address show dev "$1" | grep -q " $2/" && grep -q "^nameserver $3" /etc/resolv.conf; then return; fi
                    sleep 0.2
                done
                ip address replace "$2/$4" dev "$1"
                named "$1" "$3" "$5"
            }
            named() {
                rm -f /etc/resolv.conf
                printf 'nameserver %s\n' "$2" > /etc/resolv.conf
                if [ "$3" = routed ]; then ip route replace default via "$2" dev "$1"; fi
            }
            brought() {
                for try in $(seq 300); do
                    if ip -4 -o address show dev "$1" | grep -q " $2/"; then return; fi
                    sleep 0.2
                done
                ip address replace "$2/$3" dev "$1"
            }

            """);
        if (name.Length > 0)
        {
            string host = ShellQuote.Word(name);
            script.Append(CultureInfo.InvariantCulture, $"""
                hostname {host}
                echo {host} > /etc/hostname
                sed -i 's/^127\.0\.1\.1.*/127.0.1.1 {name}.internal {name}/' /etc/hosts

                """);
        }

        foreach ((int index, NicPlan nic) in nics.Index())
        {
            NetworkPlan network = networks.First(candidate => candidate.Name == nic.Network);
            script.Append(CultureInfo.InvariantCulture, $"""
                dev=$(card {nic.Mac})
                ip link set dev "$dev" mtu {network.Mtu} up
                ip -6 address replace {nic.Ipv6}/64 dev "$dev" nodad

                """);
            string gateway = network.Subnet.Host(1).ToString(), way = hasWayOut ? "routed" : "alone";
            if (index == 0 && nic is { AsksDhcp: true, BringsAddress: false })
            {
                script.Append(CultureInfo.InvariantCulture, $"leased \"$dev\" {nic.Address} {gateway} {network.Subnet.PrefixLength} {way}\n");
                continue;
            }

            script.Append(nic.BringsAddress
                ? FormattableString.Invariant($"brought \"$dev\" {nic.Address} {network.Subnet.PrefixLength}\n")
                : FormattableString.Invariant($"ip address replace {nic.Address}/{network.Subnet.PrefixLength} dev \"$dev\"\n"));
            if (index == 0)
            {
                script.Append(CultureInfo.InvariantCulture, $"named \"$dev\" {gateway} {way}\n");
            }
        }

        return script.ToString();
    }
}
