namespace Virtigo.Installers.Debian;

/// <summary>Finds answers that make the installed system, or the way it comes about, unsafe.</summary>
internal static class PreseedSafety
{
    /// <summary>Adds what is unsafe about the entry.</summary>
    public static void Check(PreseedLine entry, List<PreseedFinding> findings)
    {
        void Add(PreseedSeverity severity, string message, string? hint) =>
            findings.Add(new PreseedFinding(entry.Line, entry.Column(entry.Fields.Count > 3 ? 3 : 1), severity, message, hint));

        string value = entry.Value.Trim();
        switch (entry.Question)
        {
            case "apt-setup/security_host" when value.Length == 0:
                Add(PreseedSeverity.Error, "Without a security host the installed system gets no security updates.",
                    "Name the host of your security mirror, or remove the line.");
                break;
            case "apt-setup/services-select" when !DebconfTemplate.SplitChoices(value).Contains("security"):
                Add(PreseedSeverity.Error, "The installed system gets no security updates: \"security\" is not selected.",
                    $"Write: {PreseedForm.Shown(entry.Owner)} apt-setup/services-select multiselect security, updates");
                break;
            case "debian-installer/allow_unauthenticated" or "debian-installer/allow_unauthenticated_ssl" when value == "true":
                Add(PreseedSeverity.Error, "The installer takes packages and components without a valid signature.", "Remove the line.");
                break;
            case "pkgsel/upgrade" when value == "none":
                Add(PreseedSeverity.Warning, "Security updates published since the release's last point are not installed.",
                    "Write safe-upgrade, or remove the line.");
                break;
            case "passwd/root-password" or "passwd/user-password" or "passwd/root-password-again" or "passwd/user-password-again"
                or "grub-installer/password" or "grub-installer/password-again" or "network-console/password" or "netcfg/wireless_wpa"
                when value.Length > 0:
                Add(PreseedSeverity.Warning, $"{entry.Question} holds a secret in clear text.",
                    entry.Question.StartsWith("passwd/", StringComparison.Ordinal)
                        ? $"Give its hash (openssl passwd -6) as {entry.Question.Replace("-again", "", StringComparison.Ordinal)}-crypted."
                        : "Keep the file secret.");
                break;
            case "passwd/root-password-crypted" when value == "!":
                Add(PreseedSeverity.Error, "The installer takes \"!\" for no answer and asks for root's password.",
                    "Write *, which no password matches, or: d-i passwd/root-login boolean false");
                break;
            case "passwd/root-password-crypted" or "passwd/user-password-crypted" when value.Length > 0 && value[0] is not ('$' or '*' or '!'):
                Add(PreseedSeverity.Error, $"{entry.Question} is to hold a crypt(3) hash, and this is none; nobody could log in.",
                    "Make one with: openssl passwd -6");
                break;
            default:
                Commands(entry, value, Add);
                break;
        }
    }

    private static void Commands(PreseedLine entry, string value, Action<PreseedSeverity, string, string?> add)
    {
        bool isCommand = entry.Question is "preseed/early_command" or "preseed/late_command" or "partman/early_command"
            or "preseed/include_command" or "preseed/boot_command";
        bool isOptions = entry.Question.StartsWith("apt-setup/local", StringComparison.Ordinal);
        if (!isCommand && !isOptions)
        {
            return;
        }

        string[] unsafeWords =
        [
            "--no-check-gpg", "--no-check-certificate", "--allow-unauthenticated", "--force-yes", "AllowUnauthenticated", "AllowInsecureRepositories",
            "trusted=yes", "curl -k", "curl --insecure",
        ];
        if (unsafeWords.FirstOrDefault(word => value.Contains(word, StringComparison.OrdinalIgnoreCase)) is { } found)
        {
            add(PreseedSeverity.Error, $"{PreseedForm.Shown(entry.Question)} turns a signature check off ({found}).",
                "Give the repository's key instead, for example with apt-setup/local0/key.");
        }

        if (entry.Question == "preseed/early_command" && value.EndsWith('&'))
        {
            add(PreseedSeverity.Warning, "A process left in the background by preseed/early_command keeps its pipes open, and the installer waits for them.",
                "Redirect its input and output to /dev/null.");
        }
    }
}
