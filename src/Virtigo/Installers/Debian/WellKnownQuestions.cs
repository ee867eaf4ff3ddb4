using System.Collections.Frozen;

namespace Virtigo.Installers.Debian;

/// <summary>Questions that preseed files often answer and that belong to packages of the installed system, not to the installer's components.</summary>
internal static class WellKnownQuestions
{
    private static readonly FrozenDictionary<string, DebconfTemplate> s_questions = new DebconfTemplate[]
    {
        Of("tasksel/first", "multiselect", "tasksel"),
        Of("tasksel/desktop", "multiselect", "tasksel"),
        Of("tasksel/skip-tasks", "string", "tasksel"),
        Of("popularity-contest/participate", "boolean", "popularity-contest"),
        Of("unattended-upgrades/enable_auto_updates", "boolean", "unattended-upgrades"),
        Of("man-db/auto-update", "boolean", "man-db"),
        Of("grub-pc/install_devices", "multiselect", "grub-pc"),
        Of("grub-pc/install_devices_empty", "boolean", "grub-pc"),
        Of("grub2/linux_cmdline", "string", "grub-pc"),
        Of("grub2/linux_cmdline_default", "string", "grub-pc"),
        Of("grub2/enable_os_prober", "boolean", "grub-pc"),
        Of("locales/default_environment_locale", "select", "locales"),
        Of("locales/locales_to_be_generated", "multiselect", "locales"),
        Of("tzdata/Areas", "select", "tzdata"),
        Of("tzdata/Zones/Etc", "select", "tzdata"),
        Of("keyboard-configuration/xkb-keymap", "select", "keyboard-configuration"),
        Of("openssh-server/permit-root-login", "boolean", "openssh-server"),
        Of("openssh-server/password-authentication", "boolean", "openssh-server"),
        Of("postfix/main_mailer_type", "select", "postfix"),
        Of("postfix/mailname", "string", "postfix"),
        Of("debconf/priority", "select", "debconf", "critical", "high", "medium", "low"),
        Of("debconf/frontend", "string", "debconf"),
    }.ToFrozenDictionary(t => t.Name, StringComparer.Ordinal);

    /// <summary>The questions' names.</summary>
    public static IEnumerable<string> Names => s_questions.Keys;

    /// <summary>The question of this name, or null.</summary>
    public static DebconfTemplate? Find(string name) => s_questions.GetValueOrDefault(name);

    private static DebconfTemplate Of(string name, string type, string package, params string[] choices) =>
        new(name, type, choices, [], null, "", package);
}
